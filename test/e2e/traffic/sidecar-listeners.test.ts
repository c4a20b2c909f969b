// What a Sidecar says of captured pods: TLS that is ended before the application, ports that the proxy opens itself on
// both sides, and a proxy for everything that nobody declares.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CapturedMesh, type CapturedPod, type Dialling, startCapturedMesh } from "../../support/captured-mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { eventually } from "../../support/until.ts";

const services = `apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {clusterIP: 10.96.0.1, selector: {app: orders}, ports: [{name: http, port: 8080}, {name: tcp, port: 5000}]}
---
apiVersion: v1
kind: Service
metadata: {name: way-out}
spec: {clusterIP: 10.96.0.2, selector: {app: way-out}, ports: [{name: tcp, port: 3128}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: orders}
spec: {selector: {matchLabels: {app: orders}}, portLevelMtls: {8443: {mode: DISABLE}}}
`;
const ingress = (files: string) => `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: orders}
spec:
  workloadSelector: {labels: {app: orders}}
  ingress:
  - {port: {number: 8443, protocol: HTTPS, name: https}, defaultEndpoint: "127.0.0.1:8080",
     tls: {mode: SIMPLE, serverCertificate: ${files}.crt, privateKey: ${files}.key}}
  - {port: {number: 9080, protocol: HTTP, name: http}, captureMode: NONE, defaultEndpoint: "127.0.0.1:8080"}
  - {port: {number: 5000, protocol: TCP, name: tcp}}
`;
const egress = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: client}
spec:
  workloadSelector: {labels: {app: client}}
  egress:
  - {port: {number: 5000, protocol: TCP, name: tcp}, captureMode: NONE, bind: 127.0.0.1, hosts: [./orders.default.svc.cluster.local]}
  - {hosts: [./way-out.default.svc.cluster.local]}
  outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: way-out, port: {number: 3128}}}
`;

const get = (path: string): Dialling => ({ send: `GET ${path} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n` });
const say = (text: string): Dialling => ({ send: text, until: text });

describe.skipIf(namespacesMissing() !== undefined)("the Sidecar of a captured pod", () => {
  let world: CapturedMesh;
  let [client, orders]: readonly CapturedPod[] = [];
  beforeAll(async () => {
    world = await startCapturedMesh(services, [
      { name: "client-0", app: "client", capture: "REDIRECT" },
      { name: "orders-0", app: "orders", capture: "REDIRECT", serves: { 8080: "http", 5000: "echo" } },
      { name: "way-out-0", app: "way-out", serves: { 3128: "echo" } },
    ]);
    [client, orders] = [world.pod("client-0"), world.pod("orders-0")];
    client.namespace.run(["ip", "route", "add", "default", "dev", "eth0"]);
    world.write("ingress.yaml", ingress(`${world.directory}/orders-0/own`));
    world.write("egress.yaml", egress);
    await eventually("what it says", () =>
      client?.dial("127.0.0.1", 5000, say("x")).received === "echo x" ? true : undefined,
    );
  }, 120_000);
  afterAll(() => world?.stop());

  it("ends TLS of clients from outside the mesh, with the application's own certificate", async () => {
    const secure = { ...get("/x"), tls: {} };
    const dial = (options: Dialling) => world.pod("way-out-0").dial(orders?.ipv4 ?? "", 8443, options);
    await eventually("the port", () => (dial(secure).received !== "" ? true : undefined));
    const { peer, received } = dial(secure);
    expect(peer).toContain("own.example");
    expect(received).toContain("HTTP/1.1 200");
    expect(received).toContain('"path":"/x"');
    expect(dial(get("/x")).received).toBe("");
  });

  it("has the proxy open a port that nothing is captured for", () => {
    const { received } = orders?.dial(orders.ipv4, 9080, get("/opened")) ?? { received: "" };
    expect(received).toContain('"path":"/opened"');
    expect(received).toContain("x-envoy-upstream-service-time");
    expect(orders?.dial("127.0.0.1", 9080, get("/opened")).end).toBe("ECONNREFUSED");
  });

  it("has hosts found where it says, and only there", () => {
    expect(client?.dial("127.0.0.1", 5000, say("bound")).received).toBe("echo bound");
    // Nothing of orders is known elsewhere: what goes there is for whoever has the unknown.
    expect(client?.dial("10.96.0.1", 8080, say("lost")).received).toBe("echo lost");
  });

  it("leads to a proxy what nobody declares", async () => {
    expect(client?.dial("192.0.2.9", 7777, say("unknown")).received).toBe("echo unknown");
    expect(await client?.metrics("istio_tcp_connections_opened_total", 'destination_service="way-out')).not.toEqual([]);
  });
});
