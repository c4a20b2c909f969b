// What comes to a captured pod, on real connections that the kernel led to a real sidecar.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CapturedMesh, type CapturedPod, type Dialling, startCapturedMesh } from "../../support/captured-mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { eventually } from "../../support/until.ts";

const service = (more = "") => `
apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  selector: {app: orders}
  ports:
  - {name: http, port: 80, targetPort: web}
  - {name: tcp-echo, port: 5000}
  - {name: tcp-greeting, port: 2525}
  - {name: tcp-own, port: 8443}
  - {name: any-http, port: 7000}
  - {name: any-greeting, port: 7001}
  - {name: tcp-strict, port: 5001}
  - {name: tcp-plain, port: 5002}
  - {name: tcp-plain-own, port: 8444}
${more}
`;

const authentication = (namespace: string, spec: string, name = "default") => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
const portModes = `9101: {mode: STRICT}, 5001: {mode: STRICT}, 5002: {mode: DISABLE}, 8444: {mode: DISABLE}`;
const ofPorts = (mode = "UNSET") =>
  authentication(
    "default",
    `{selector: {matchLabels: {app: orders}}, mtls: {mode: ${mode}}, portLevelMtls: {${portModes}, 7000: {mode: PERMISSIVE}}}`,
    "orders",
  );

const httpAlpn = ["istio-http/1.1", "istio"];
const get = (path = "/", more: Dialling = {}): Dialling => ({
  send: `GET ${path} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n`,
  ...more,
});
const say = (text: string, more: Dialling = {}): Dialling => ({ send: text, until: text, ...more });
const listen = (more: Dialling = {}): Dialling => ({ until: "\n", ...more });
const asMesh = (as: string, alpn: readonly string[] = ["istio"]): Dialling => ({ tls: { as, alpn } });
const ownTls: Dialling = { tls: {} };

describe.skipIf(namespacesMissing() !== undefined)("a captured pod", () => {
  let mesh: CapturedMesh;
  let orders: CapturedPod;
  let stranger: CapturedPod;

  beforeAll(async () => {
    mesh = await startCapturedMesh(`${service()}---${ofPorts()}`, [
      {
        ...{ name: "orders-0", app: "orders", capture: "REDIRECT", declares: { web: 8080 } },
        serves: {
          ...{ 8080: "http", 5000: "echo", 2525: "greeting", 8443: "tls", 7000: "http", 7001: "greeting" },
          ...{ 5001: "echo", 5002: "greeting", 8444: "tls", 6000: "echo" },
          ...{ 9100: "http", 9101: "echo", 9102: "greeting", 9103: "tls", 9104: "echo", 9105: "echo" },
        },
      },
      { name: "stranger-0", app: "stranger" },
    ]);
    [orders, stranger] = [mesh.pod("orders-0"), mesh.pod("stranger-0")];
  });
  afterAll(() => mesh?.stop());

  describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
    const at = () => orders[family];
    const fromProxy = family === "ipv4" ? "127.0.0.6" : "::6";

    it.each([
      ["declared HTTP, by a named target port", 8080],
      ["of which nobody says what it speaks", 7000],
      ["that no Service declares", 9100],
    ])("HTTP in plaintext reaches a port %s", (_, port) => {
      const { received } = stranger.dial(at(), port, get("/x"));
      expect(received).toContain("HTTP/1.1 200");
      expect(received).toContain(`"from":"${fromProxy}"`);
    });

    it.each([5000, 9104])("bytes that are no HTTP reach port %d", (port) => {
      expect(stranger.dial(at(), port, say("no HTTP")).received).toBe("echo no HTTP");
    });

    it.each([2525, 7001, 5002, 9102])("a server that speaks first is heard on port %d", (port) => {
      expect(stranger.dial(at(), port, listen()).received).toContain("220 hello");
    });

    it.each([8443, 9103, 8444])("TLS that is the application's own passes port %d", (port) => {
      const { received, peer } = stranger.dial(at(), port, listen(ownTls));
      expect([received, peer]).toEqual([expect.stringContaining("own TLS"), "DNS:own.example"]);
    });

    it.each([8080, 7000, 9100])("HTTP through mutual TLS tells port %d who asks", (port) => {
      const { received, peer } = stranger.dial(at(), port, get("/", asMesh("shop", httpAlpn)));
      expect(received).toContain("URI=spiffe://cluster.local/ns/default/sa/shop");
      expect(peer).toBe("URI:spiffe://cluster.local/ns/default/sa/orders");
    });

    it.each([5000, 5001, 9101, 9104])("bytes through mutual TLS reach port %d", (port) => {
      expect(stranger.dial(at(), port, say("hidden", asMesh("shop"))).received).toBe("echo hidden");
    });

    it.each([2525, 7001, 9102])("a server that speaks first is heard through mutual TLS on port %d", (port) => {
      expect(stranger.dial(at(), port, listen(asMesh("shop"))).received).toContain("220 hello");
    });

    it.each([
      [5001, "inbound.5001"],
      [9101, "InboundPassthroughCluster"],
    ])(
      "nothing but mutual TLS reaches port %d, which is STRICT, nor opens a connection to it",
      async (port, cluster) => {
        const opened = () => orders.admin(`/stats?filter=cluster.${cluster}.*upstream_cx_total`);
        const before = await opened();
        for (const foreign of [{}, ownTls, { tls: { alpn: ["istio"] } }])
          expect(stranger.dial(at(), port, say("let me in", foreign))).toMatchObject({ received: "" });
        expect(await opened()).toBe(before);
      },
    );
  });

  it("TLS of a stranger does not reach a port that is declared HTTP", () => {
    expect(stranger.dial(orders.ipv4, 8080, get("/", ownTls))).toMatchObject({ received: "", peer: "" });
  });

  it.each([
    ["the mesh", authentication("istio-system", "{mtls: {mode: STRICT}}"), ofPorts()],
    ["the namespace", authentication("default", "{mtls: {mode: STRICT}}"), ofPorts()],
    ["the workload", "", ofPorts("STRICT")],
  ])("STRICT of %s holds for all ports but those that have their own mode", async (_, wider, own) => {
    const isOpen = (port: number) => stranger.dial(orders.ipv4, port, get()).received !== "";
    mesh.write("mesh.yaml", `${service()}---${own}---${wider}`);
    await eventually("closed ports", () => ([8080, 9100].some(isOpen) ? undefined : true));
    expect(isOpen(7000)).toBe(true);
    expect(stranger.dial(orders.ipv4, 5000, say("x")).received).toBe("");
    expect(stranger.dial(orders.ipv4, 9103, listen(ownTls)).received).toBe("");
    expect(stranger.dial(orders.ipv4, 9100, get("/", asMesh("shop", httpAlpn))).received).toContain("200 OK");
    mesh.write("mesh.yaml", `${service()}---${ofPorts()}`);
    await eventually("open ports", () => ([8080, 9100].every(isOpen) ? true : undefined));
  });

  it("a port that is added leaves connections of the others alone", async () => {
    const file = join(mesh.directory, "added");
    const inPlace = () => orders.admin("/stats?filter=listener_manager.listener_in_place_updated");
    const before = await inPlace();
    const held = stranger.dialling(orders.ipv4, 5000, {
      ...{ send: "before ", until: "after", patienceMs: 60_000, later: { file, send: "after" } },
    });
    const clusters = () => orders.admin("/clusters");
    await eventually("a connection", async () => (await clusters()).includes(":5000::cx_active::1") || undefined);
    mesh.write("mesh.yaml", `${service("  - {name: tcp-added, port: 6000}")}---${ofPorts()}`);
    await eventually("the port", async () => (await clusters()).includes("inbound|6000||") || undefined);
    await eventually("a listener changed in place", async () => (await inPlace()) !== before || undefined);
    writeFileSync(file, "");
    expect(await held).toMatchObject({ received: "echo before echo after", end: "enough" });
    expect(await orders.admin("/stats?filter=listener_manager.total_listeners_draining")).toContain(": 0");
  });

  it("a Sidecar leads ports elsewhere in the pod", async () => {
    const ports = [
      `{port: {number: 6100, protocol: TCP, name: tcp-a}, defaultEndpoint: "127.0.0.1:5000"}`,
      `{port: {number: 6101, protocol: TCP, name: tcp-b}, defaultEndpoint: "0.0.0.0:5000"}`,
    ];
    const spec = `{workloadSelector: {labels: {app: orders}}, ingress: [${ports.join(", ")}]}`;
    mesh.write(
      "sidecar.yaml",
      `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: orders}\nspec: ${spec}\n`,
    );
    const clusters = () => orders.admin("/clusters");
    await eventually("the ports", async () => (await clusters()).includes("inbound|6101||") || undefined);
    for (const port of [6100, 6101])
      await eventually(
        `an answer at ${port}`,
        () => stranger.dial(orders.ipv4, port, say("hello")).received.startsWith("echo hello") || undefined,
      );
    // What it does not name is left as it is.
    expect(stranger.dial(orders.ipv4, 5000, say("hello"))).toMatchObject({ received: "echo hello" });
    mesh.write("sidecar.yaml", "");
    await eventually("the ports of before", async () => (await clusters()).includes("inbound|5000||") || undefined);
  });

  describe("guarded by policies", () => {
    const policy = (name: string, spec: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}}
spec: ${spec}
`;
    const policies = [
      policy(
        "callers",
        `{rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/shop]}}]}, {to: [{operation: {ports: ["9104", "7000"]}}]}]}`,
      ),
      policy(
        "closed",
        `{action: DENY, rules: [{to: [{operation: {ports: ["9105"]}}]}, {from: [{source: {ipBlocks: ["10.7.1.2"]}}], to: [{operation: {ports: ["2525"]}}]}]}`,
      ),
    ].join("---");

    beforeAll(async () => {
      mesh.write("policies.yaml", policies);
      await eventually("policies", () =>
        stranger.dial(orders.ipv4, 5000, say("x")).received === "" ? true : undefined,
      );
    });

    it("lets in who may come, by identity and by port, declared or not", () => {
      expect(stranger.dial(orders.ipv4, 5000, say("shop", asMesh("shop"))).received).toBe("echo shop");
      expect(stranger.dial(orders.ipv4, 9101, say("shop", asMesh("shop"))).received).toBe("echo shop");
      expect(stranger.dial(orders.ipv4, 9104, say("anybody")).received).toBe("echo anybody");
      expect(stranger.dial(orders.ipv4, 7000, get()).received).toContain("200 OK");
    });

    it("keeps out who may not", () => {
      expect(stranger.dial(orders.ipv4, 5000, say("other", asMesh("other"))).received).toBe("");
      expect(stranger.dial(orders.ipv4, 9101, say("other", asMesh("other"))).received).toBe("");
      expect(stranger.dial(orders.ipv4, 9100, get()).received).toContain("403 Forbidden");
      expect(stranger.dial(orders.ipv4, 9105, say("shop", asMesh("shop"))).received).toBe("");
      expect(stranger.dial(orders.ipv4, 2525, { send: "HELO", ...asMesh("shop") })).toMatchObject({ end: "closed" });
    });
  });

  it("counts what came, at ports that no Service declares, too", async () => {
    const opened = (service: string, ...labels: readonly string[]) =>
      orders.metrics(
        "istio_tcp_connections_opened_total",
        'reporter="destination"',
        `destination_service="${service}"`,
        ...labels,
      );
    expect(await opened("orders.default.svc.cluster.local", 'connection_security_policy="mutual_tls"')).not.toEqual([]);
    const passedThrough = 'destination_service_name="InboundPassthroughCluster"';
    expect(await opened("unknown", passedThrough, 'connection_security_policy="none"')).not.toEqual([]);
  });
});
