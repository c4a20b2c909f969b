// Programs as they are, in pods of their own under STRICT: each is heard through two sidecars that it knows nothing of, is
// counted, and is let in or not by policy; and what rules do to connections that are not HTTP.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import net from "node:net";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { certificateFiles } from "../../support/certificate.ts";
import { type Mesh, type ProxyStatus, startMesh } from "../../support/mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { inPod, metricsOf } from "../../support/pods.ts";
import { workload } from "../../support/pod-workloads.ts";
import { eventually } from "../../support/until.ts";
import { documents } from "../../support/workloads.ts";

const nginx = spawnSync("sh", ["-c", "command -v nginx"], { encoding: "utf8" }).stdout.trim();
const certificate = certificateFiles(["shop.example.com"]);
const MEGABYTES = Number(process.env["SCRIM_TEST_MEGABYTES"] ?? 256);

const strict = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;
const passthrough = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 443, name: tls, protocol: TLS}, hosts: [shop.example.com], tls: {mode: PASSTHROUGH}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front, namespace: default}
spec:
  hosts: [shop.example.com]
  gateways: [front]
  tls: [{match: [{sniHosts: [shop.example.com]}], route: [{destination: {host: shop, port: {number: 8443}}}]}]
`;
const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${of};`).join(" ");
const site =
  `events {} http { access_log off; ${temporary} server { listen 8443 ssl; ssl_certificate ${certificate.certificate}; ` +
  `ssl_certificate_key ${certificate.key}; location / { return 200 "nginx for $ssl_server_name\\n"; } } }`;
const startNginx =
  `D=$(mktemp -d); cd $D; printf '%s' '${site}' > site.conf; ` +
  `exec ${nginx} -p $D -c $D/site.conf -e stderr -g "daemon off; pid $D/pid;"`;
const tongues = { http: 80, "tcp-greeting": 2525, "tcp-echo": 7000, grpc: 9000 };
const talk = "exec node apps/many-tongues.mjs";

/** Scripts for Node. They end by themselves, or after ten seconds. */
const node = (script: string) => `${process.execPath} -e '${script.replaceAll("'", `'\\''`)}'`;
const grpcCall = (host: string) =>
  node(`const c = require("http2").connect("http://${host}:9000").on("error", (e) => console.log(e.code));
    const message = Buffer.from(JSON.stringify({ text: "hello" })), head = Buffer.from([0, 0, 0, 0, message.length]);
    const s = c.request({ ":method": "POST", ":path": "/test.Echo/Unary", "content-type": "application/grpc", te: "trailers" });
    let status = ""; s.on("response", (h) => (status = h["grpc-status"] ?? status)).on("trailers", (h) => (status = h["grpc-status"] ?? status));
    let text = ""; s.on("data", (d) => (text += d.toString("utf8", 5))).on("close", () => { console.log(status, text); c.close(); });
    s.on("error", () => {}).end(Buffer.concat([head, message]));`);
const webSocket = (host: string) =>
  node(`const s = require("net").connect(80, "${host}"); let text = "";
    s.write("GET /chat HTTP/1.1\\r\\nhost: ${host}\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nsec-websocket-version: 13\\r\\n\\r\\n");
    s.once("data", (d) => { text += d; s.write("said"); s.on("data", (e) => { text += e; s.end(); }); });
    s.on("error", () => {}).on("close", () => console.log(text.split(" ")[1], text.split("\\r\\n\\r\\n")[1]));
    setTimeout(() => s.destroy(), 10000).unref();`);

describe.skipIf(namespacesMissing() !== undefined)("programs as they are, under STRICT", () => {
  let mesh: Mesh;
  let [client, other]: readonly ProxyStatus[] = [];

  beforeAll(async () => {
    mesh = await startMesh({
      files: {
        "mesh.yaml": documents(
          strict,
          ...["web", "second"].map((name) => workload({ name, command: talk, ports: tongues })),
          ...["client", "other"].map((name) => workload({ name, command: "exec sleep infinity" })),
          ...(nginx === ""
            ? []
            : [passthrough, workload({ name: "shop", command: startNginx, ports: { https: 8443 } })]),
          workload({
            name: "bare",
            command: talk,
            ports: { "tcp-bare": 2525 },
            annotations: { "traffic.sidecar.istio.io/excludeInboundPorts": "2525,2526" },
          }),
        ),
      },
      args: ["--isolate"],
    });
    [client, other] = [await mesh.proxy("client"), await mesh.proxy("other")];
  });
  afterAll(async () => {
    await mesh?.stop();
    rmSync(certificate.directory, { recursive: true });
  });

  const said = (from: ProxyStatus | undefined, script: string) => inPod(from as ProxyStatus, script).text.trim();
  const greeting = (host: string) =>
    said(client, `exec 3<>/dev/tcp/${host}/2525; head -1 <&3`).slice(4).replace(/-0-.*/, "");
  const echoOf = (from: ProxyStatus | undefined) =>
    said(from, "exec 3<>/dev/tcp/web/7000; echo hello >&3; head -1 <&3");
  /** The rows of a metric at a workload's sidecar with these texts. */
  const rows = (name: string, metric: string, ...texts: readonly string[]) =>
    eventually(`${metric} of ${name}`, async () => {
      const found = (await metricsOf(mesh, name, metric)).filter((row) => texts.every((text) => row.includes(text)));
      return found.length > 0 ? found : undefined;
    });
  const asClient = [
    `source_principal="spiffe://cluster.local/ns/default/sa/client"`,
    `connection_security_policy="mutual_tls"`,
  ];

  it("speak gRPC", async () => {
    expect(said(client, grpcCall("web"))).toMatch(/^0 hello from web-0-/);
    expect(await rows("web", "istio_requests_total", 'request_protocol="grpc"', ...asClient)).toHaveLength(1);
  });

  it("speak websocket", async () => {
    expect(said(client, webSocket("web"))).toBe("101 said");
    expect(await rows("web", "istio_requests_total", 'response_code="101"', ...asClient)).toHaveLength(1);
  });

  it("speak HTTP/1.0", async () => {
    expect(JSON.parse(said(client, "curl -s --http1.0 http://web/"))).toMatchObject({ from: "127.0.0.6" });
    const bare = String.raw`exec 3<>/dev/tcp/web/80; printf 'GET / HTTP/1.0\r\nhost: web\r\n\r\n' >&3; cat <&3`;
    expect(said(client, bare)).toMatch(/^HTTP\/1\.[01] 200 OK/);
    expect(
      await rows("web", "istio_requests_total", 'response_code="200"', 'request_protocol="http"', ...asClient),
    ).toHaveLength(1);
  });

  it(`send ${MEGABYTES} MB there and back, and then the last word`, async () => {
    const script =
      node(`const crypto = require("crypto"), there = crypto.createHash("sha256"), back = crypto.createHash("sha256");
      const s = require("net").connect({ port: 7000, host: "web", allowHalfOpen: true }), part = crypto.randomBytes(1 << 20);
      let sent = 0, got = 0; const more = () => { while (sent < ${MEGABYTES}) { sent++; there.update(part); if (!s.write(part)) return s.once("drain", more); } s.end(); };
      s.on("data", (d) => { got += d.length; back.update(d); }).on("end", () => console.log(got >> 20, there.digest("hex") === back.digest("hex")));
      more();`);
    expect(said(client, script)).toBe(`${MEGABYTES} true`);
    for (const metric of ["istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"]) {
      const counted = await rows("web", metric, 'reporter="destination"', ...asClient);
      const bytes = counted.map((row) => Number(row.split(" ").at(-1)));
      expect(Math.max(...bytes)).toBeGreaterThanOrEqual(MEGABYTES * 2 ** 20);
    }
  });

  it("are never cut off for being silent, on either side", async () => {
    for (const [name, cluster] of [
      ["client", "outbound|7000||web.default.svc.cluster.local"],
      ["web", "inbound|7000||"],
    ] as const) {
      const { envoyAdmin } = await mesh.proxy(name);
      const dump: unknown = await (await fetch(`http://${envoyAdmin}/config_dump?resource=dynamic_listeners`)).json();
      const silent = objectsIn(dump).filter((one) => one["cluster"] === cluster && "stat_prefix" in one);
      expect(new Set(silent.map((one) => one["idle_timeout"]))).toEqual(new Set(["0s"]));
    }
  });

  it.skipIf(nginx === "")("end TLS themselves, whoever calls: a pod, and a gateway that passes it on", async () => {
    expect(said(client, "curl -sk https://shop:8443/")).toBe("nginx for shop");
    expect(
      await rows("shop", "istio_tcp_connections_opened_total", 'reporter="destination"', ...asClient),
    ).toHaveLength(1);
    const address = (await mesh.proxy("istio-ingressgateway")).ports.find(({ port }) => port === 443)?.address ?? "";
    expect(await overTls(address, "shop.example.com")).toContain("nginx for shop.example.com");
  });

  it("are denied what a policy denies, whatever they speak", async () => {
    await mesh.apply(
      "policy.yaml",
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}]
`,
    );
    expect([said(client, grpcCall("web")).slice(0, 1), said(other, grpcCall("web"))]).toEqual(["0", "7"]);
    expect([said(client, webSocket("web")), said(other, webSocket("web")).slice(0, 3)]).toEqual(["101 said", "403"]);
    const status = "curl -s --http1.0 -o /dev/null -w '%{http_code}' http://web/";
    expect([said(client, status), said(other, status)]).toEqual(["200", "403"]);
    expect([echoOf(client), echoOf(other)]).toEqual(["hello", ""]);
    mesh.remove("policy.yaml");
  });

  it("pass a gate that reads their first bytes, on its way out or in", async () => {
    const gate = (app: string, mode: string) =>
      `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gate, namespace: default}
spec:
  type: NETWORK
  selector: {matchLabels: {app: ${app}}}
  url: file://${modulePath("examples/preface-gate")}
  match: [{mode: ${mode}, ports: [{number: 7000}]}]
  pluginConfig: {preface: "HELLO "}
`;
    const say = (word: string) => said(client, `exec 3<>/dev/tcp/web/7000; echo ${word} you >&3; head -1 <&3`);
    for (const [app, mode] of [
      ["web", "SERVER"],
      ["client", "CLIENT"],
    ] as const) {
      await mesh.apply("gate.yaml", gate(app, mode));
      await eventually(`the gate of ${app}`, () => (say("GOODBYE") === "" ? true : undefined));
      expect(say("HELLO")).toBe("HELLO you");
      expect(greeting("web")).toBe("web");
    }
    mesh.remove("gate.yaml");
    await eventually("no gate", () => (say("GOODBYE") === "GOODBYE you" ? true : undefined));
  });

  it("are led elsewhere by weight, connection by connection", async () => {
    const shifted = async (second: number) => {
      await mesh.apply(
        "shift.yaml",
        `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  tcp:
  - match: [{port: 2525}]
    route:
    - {destination: {host: web, port: {number: 2525}}, weight: ${100 - second}}
    - {destination: {host: second, port: {number: 2525}}, weight: ${second}}
`,
      );
      return new Set(Array.from({ length: 30 }, () => greeting("web")));
    };
    expect(await shifted(100)).toEqual(new Set(["second"]));
    expect(await shifted(50)).toEqual(new Set(["web", "second"]));
    expect(await shifted(0)).toEqual(new Set(["web"]));
    mesh.remove("shift.yaml");
  });

  it("are kept from an endpoint that takes no connections, once that is known", async () => {
    const { podIp } = await mesh.proxy("bare");
    await mesh.apply(
      "pair.yaml",
      `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pair, namespace: default}
spec:
  hosts: [pair.example.com]
  ports: [{number: 2525, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: ${podIp}, ports: {tcp: 2525}}, {address: ${podIp}, ports: {tcp: 2526}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pair, namespace: default}
spec:
  host: pair.example.com
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 600s, maxEjectionPercent: 100, minHealthPercent: 0}
`,
    );
    const heard = () => Array.from({ length: 8 }, () => greeting("pair.example.com"));
    await eventually("a connection", () => (heard().includes("bare") ? true : undefined));
    await eventually("the ejection", () => (heard().every((pod) => pod === "bare") ? true : undefined));
    const { envoyAdmin } = await mesh.proxy("client");
    const clusters = await (await fetch(`http://${envoyAdmin}/clusters`)).text();
    expect(clusters).toMatch(/pair\.example\.com::[\d.]+:2526::health_flags::\/failed_outlier_check/);
  });
});

/** All objects within a value. */
function objectsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof value !== "object" || value === null) return [];
  return [value as Readonly<Record<string, unknown>>, ...Object.values(value).flatMap(objectsIn)];
}

/** The answer to a request over TLS to an address, for a host. */
function overTls(address: string, host: string): Promise<string> {
  const [name = "", port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: net.connect(Number(port), name), servername: host, rejectUnauthorized: false });
    let text = "";
    socket
      .on("data", (part: Buffer) => (text += part.toString()))
      .on("error", reject)
      .on("close", () => resolve(text));
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
}
