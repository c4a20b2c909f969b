// From one captured pod to another, through both sidecars: mutual TLS under STRICT, whatever is spoken.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CapturedMesh, type CapturedPod, type Dialling, startCapturedMesh } from "../../support/captured-mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { eventually, until } from "../../support/until.ts";

const service = (name: string, clusterIP: string, ports: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {clusterIP: "${clusterIP}", selector: {app: orders}, ports: [${ports}]}\n`;
const PORTS =
  "{name: http, port: 80, targetPort: 8080}, {name: tcp-echo, port: 5000}, {name: tcp-greeting, port: 2525}, " +
  "{name: own-http, port: 7000}, {name: own-greeting, port: 7001}";
const mesh = [
  service("orders", "10.96.0.1", PORTS),
  service("orders-six", "fd96::1", PORTS),
  service("each", "None", "{name: tcp-echo, port: 5000}, {name: http, port: 8080}"),
  "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n",
].join("---\n");

const get = (host: string): Dialling => ({ send: `GET /x HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n` });
const say = (text: string): Dialling => ({ send: text, until: text });
const missing = namespacesMissing();

describe.skipIf(missing !== undefined)(`between captured pods${missing === undefined ? "" : ` (${missing})`}`, () => {
  let world: CapturedMesh;
  let client: CapturedPod;
  let orders: CapturedPod;
  beforeAll(async () => {
    const serves = { 8080: "http", 5000: "echo", 2525: "greeting", 7000: "http", 7001: "greeting" } as const;
    world = await startCapturedMesh(mesh, [
      { name: "client-0", app: "client", capture: "REDIRECT" },
      { name: "orders-0", app: "orders", capture: "REDIRECT", serves },
    ]);
    [client, orders] = [world.pod("client-0"), world.pod("orders-0")];
    // Services' addresses are nobody's: what is sent there needs a way out to be captured on.
    for (const { namespace } of [client, orders])
      for (const family of ["-4", "-6"]) namespace.run(["ip", family, "route", "add", "default", "dev", "eth0"]);
    await until(() => client.dial("10.96.0.1", 5000, say("x")).received !== "", "a way to orders");
  }, 120_000);
  afterAll(() => world?.stop());

  it.each(["10.96.0.1", "fd96::1"])("everything reaches the service at %s", (address) => {
    expect(client.dial(address, 5000, say("hidden")).received).toBe("echo hidden");
    expect(client.dial(address, 2525, { until: "\n" }).received).toContain("220 hello");
    expect(client.dial(address, 7001, { until: "\n" }).received).toContain("220 hello");
    for (const port of [80, 7000]) {
      const { received } = client.dial(address, port, get("orders"));
      expect(received).toContain("HTTP/1.1 200");
      expect(received).toContain("URI=spiffe://cluster.local/ns/default/sa/client");
    }
  });

  it("a client of a headless service reaches the pod that it chose", () => {
    expect(client.dial(orders.ipv4, 5000, say("chosen")).received).toBe("echo chosen");
    expect(client.dial(orders.ipv4, 8080, get("orders-0.each")).received).toContain(
      "URI=spiffe://cluster.local/ns/default/sa/client",
    );
  });

  it("a pod reaches itself, by its service and by its own address", () => {
    for (const address of ["10.96.0.1", orders.ipv4, "127.0.0.1"])
      expect(orders.dial(address, 5000, say("self")).received, address).toBe("echo self");
  });

  it("counts connections on both sides", async () => {
    const opened = (pod: CapturedPod, ...labels: readonly string[]) =>
      eventually("a count", async () => {
        const found = await pod.metrics("istio_tcp_connections_opened_total", ...labels);
        return found.length > 0 ? found[0] : undefined;
      });
    const ofOrders = 'destination_service="orders.default.svc.cluster.local"';
    const source = await opened(client, 'reporter="source"', ofOrders);
    expect(source).toContain('source_workload="client"');
    expect(source).toContain('destination_workload="orders"');
    expect(source).toContain('destination_principal="spiffe://cluster.local/ns/default/sa/orders"');
    const destination = await opened(orders, 'reporter="destination"', ofOrders);
    expect(destination).toContain('source_principal="spiffe://cluster.local/ns/default/sa/client"');
    expect(destination).toContain('connection_security_policy="mutual_tls"');
  });

  it("leaves connections alone when another service comes", async () => {
    const file = join(world.directory, "later");
    const held = client.dialling("10.96.0.1", 5000, {
      ...{ send: "before ", until: "after", patienceMs: 60_000, later: { file, send: "after" } },
    });
    const clusters = () => client.admin("/clusters");
    await eventually(
      "a connection",
      async () => /\|5000\|\|orders\..*:5000::cx_active::1/.test(await clusters()) || undefined,
    );
    const page = () => client.admin("/stats?filter=listener_manager");
    const stat = async (what: string) =>
      Number(new RegExp(`listener_manager\\.${what}: (\\d+)`).exec(await page())?.[1]);
    const whats = ["listener_modified", "listener_in_place_updated", "listener_added", "listener_removed"];
    const before = await Promise.all(whats.map(stat));
    world.write("more.yaml", service("fresh", "10.96.0.2", PORTS));
    await eventually("the fresh service", () => client.dial("10.96.0.2", 5000, say("x")).received || undefined);
    const after = await Promise.all(whats.map(stat));
    // The listener of names changed, four have come; HTTP's ports have one more host in their tables.
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 0, 4, 0]);
    expect(await stat("total_filter_chains_draining")).toBe(0);
    writeFileSync(file, "");
    expect(await held).toMatchObject({ received: "echo before echo after", end: "enough" });
  });
});
