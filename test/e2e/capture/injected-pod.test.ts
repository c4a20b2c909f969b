// A pod as injection makes it, with a stock Envoy that has nothing but what stands in the pod.
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { injectPod } from "../../../controlplane/injector/inject.ts";
import { type PodTemplate, readPod, writePod } from "../../../controlplane/injector/pod.ts";
import { injectionValues } from "../../../controlplane/injector/values.ts";
import { loadText } from "../../../controlplane/store/load.ts";
import { type CapturedMesh, startCapturedMesh } from "../../support/captured-mesh.ts";
import { CONTROL_PLANE } from "../../support/captured-sidecar.ts";
import { findEnvoy } from "../../support/envoy.ts";
import { project, startInjected } from "../../support/injected-pod.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { eventually } from "../../support/until.ts";

const mesh = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: seen}
spec: {selector: {app: seen}, ports: [{name: http, port: 80, targetPort: 8080}]}
`;

const template = {
  metadata: { name: "web-0", namespace: "default", labels: { app: "web" } },
  spec: {
    serviceAccountName: "web",
    containers: [
      {
        ...{ name: "web", image: "web:1", ports: [{ name: "http", containerPort: 8080 }] },
        readinessProbe: { httpGet: { path: "/healthz?deep=1", port: "http" } },
        livenessProbe: { tcpSocket: { port: "http" } },
        startupProbe: { tcpSocket: { port: 8099 } },
      },
      { name: "rpc", image: "rpc:1", readinessProbe: { grpc: { port: 9000, service: "orders" }, periodSeconds: 1 } },
      { name: "dead", image: "dead:1", readinessProbe: { grpc: { port: 9001 } } },
    ],
  },
};

/** The other way of capture, for which a proxy must be root. */
const seen = {
  metadata: {
    ...{ name: "seen-0", namespace: "default", labels: { app: "seen" } },
    annotations: { "sidecar.istio.io/interceptionMode": "TPROXY" },
  },
  spec: {
    serviceAccountName: "seen",
    containers: [{ name: "seen", image: "seen:1", readinessProbe: { httpGet: { path: "/", port: 8080 } } }],
  },
};

/** Says SERVING for the service "orders" alone, until its file is there. */
const grpcHealth = (end: string) => `
const http2 = require("node:http2"), fs = require("node:fs");
http2.createServer().on("stream", (stream) => {
  let said = "";
  stream.on("data", (data) => (said += data)).on("end", () => {
    const serves = said.includes("orders") && !fs.existsSync(${JSON.stringify(end)});
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serves ? 1 : 2]));
  });
}).listen(9000, "::", () => console.log("up"));`;

describe.skipIf(namespacesMissing() !== undefined)("an injected pod", () => {
  let captured: CapturedMesh;
  let pod: PodTemplate;
  const at = (...names: readonly string[]): string => join(captured.directory, "injected", ...names);
  const ask = (path: string, headers = "", name = "web-0") =>
    captured.pod("kubelet").dial(captured.pod(name).ipv4, 15_021, {
      send: `GET ${path} HTTP/1.1\r\nhost: kubelet\r\n${headers}connection: close\r\n\r\n`,
    }).received;
  const answers = (path: string, status: number, name = "web-0") =>
    eventually(`${path}: ${status}`, () => ask(path, "", name).startsWith(`HTTP/1.1 ${status}`) || undefined);

  /** Injects a pod, tells the mesh of it, and starts its proxy. */
  async function start(template: { readonly metadata: { readonly name: string } }): Promise<PodTemplate> {
    const { name } = template.metadata;
    const injected = injectPod(readPod(template) as PodTemplate, {
      ...{ namespace: "default", values: injectionValues({}, "1.0.0"), world: loadText("").world },
    });
    if (injected.kind !== "injected") throw new Error(JSON.stringify(injected));
    const { ipv4, ipv6, namespace } = captured.pod(name);
    const podIPs = [ipv4, ipv6].map((ip) => ({ ip }));
    const status = { podIP: ipv4, podIPs, conditions: [{ type: "Ready", status: "True" }] };
    const document = { apiVersion: "v1", kind: "Pod", ...writePod(injected.pod), status };
    captured.write(`pod-${name}.yaml`, JSON.stringify(document));
    mkdirSync(at(name), { recursive: true });
    chmodSync(at(), 0o755);
    startInjected({
      ...{ pod: injected.pod, name, namespaceName: "default", ips: [ipv4, ipv6], namespace, directory: at(name) },
      rootCertificate: readFileSync(join(captured.directory, "state/ca/root-cert.pem"), "utf8"),
      token: await captured.renewToken(name),
      envoy: (await findEnvoy()).path,
      hosts: `${CONTROL_PLANE.address} istiod.istio-system.svc\n`,
    });
    return injected.pod;
  }

  beforeAll(async () => {
    captured = await startCapturedMesh(mesh, [
      { name: "web-0", app: "web", serves: { 8080: "http" } },
      { name: "seen-0", app: "seen", serves: { 8080: "http" } },
      { name: "kubelet", app: "kubelet" },
    ]);
    mkdirSync(at());
    await captured.pod("web-0").namespace.start(grpcHealth(at("stopped")));
    pod = await start(template);
    await start(seen);
  });
  afterAll(() => captured?.stop());

  it("is ready once its Envoy has all that it is told", () => answers("/healthz/ready", 200));

  it("takes nothing under STRICT from who has no certificate", () => {
    const get = { send: "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" };
    expect(captured.pod("kubelet").dial(captured.pod("web-0").ipv4, 8080, get).received).toBe("");
    const tls = { as: "shop", alpn: ["istio"] };
    expect(captured.pod("kubelet").dial(captured.pod("web-0").ipv4, 8080, { ...get, tls }).received).toContain(
      "200 OK",
    );
  });

  it("shows its application who calls, under TPROXY", async () => {
    await answers("/healthz/ready", 200, "seen-0");
    const [kubelet, { ipv4 }] = [captured.pod("kubelet"), captured.pod("seen-0")];
    const get = { send: "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" };
    expect(kubelet.dial(ipv4, 8080, get).received).toBe("");
    const { received } = kubelet.dial(ipv4, 8080, { ...get, tls: { as: "shop", alpn: ["istio"] } });
    expect(received).toContain(`"from":"${kubelet.ipv4}"`);
    await answers("/app-health/seen/readyz", 200, "seen-0");
  });

  it("lets the kubelet's HTTP probes through, as they were", async () => {
    await answers("/app-health/web/readyz?deep=1", 200);
    const said = ask("/app-health/web/readyz?deep=1", "user-agent: kube-probe/1.37\r\n");
    expect(said).toContain('"path":"/healthz?deep=1"');
    expect(said).toContain(`"host":"${captured.pod("web-0").ipv4}:8080"`);
    expect(said).toContain('"user-agent":"kube-probe/1.37"');
    expect(said).toContain('"from":"127.0.0.6"');
  });

  it("answers TCP probes by whether the application does", async () => {
    await answers("/app-health/web/livez", 200);
    await answers("/app-health/web/startupz", 503);
  });

  it("answers gRPC probes with what the application says", async () => {
    await answers("/app-health/rpc/readyz", 200);
    await answers("/app-health/dead/readyz", 503);
    captured.pod("kubelet").namespace.run(["touch", at("stopped")]);
    await answers("/app-health/rpc/readyz", 503);
  });

  it("leads to nothing else of the application", () => {
    expect(ask("/app-health/web/other")).toMatch(/^HTTP\/1.1 404/);
    expect(ask("/healthz?deep=1")).toMatch(/^HTTP\/1.1 404/);
  });

  it("shows the token that its kubelet has put in place of the first, from the next stream on", async () => {
    const token = await captured.renewToken("web-0");
    project(at("web-0", "istio-token"), {
      "istio-token": token,
      "xds-token.json": pod.metadata.annotations["scrim.mesh/xds-token-secret"] ?? "",
    });
    await captured.restart();
    const streams = () => JSON.parse(captured.proxies()) as { name: string; sync: Readonly<Record<string, string>> }[];
    await eventually(
      "a stream",
      () => streams().some(({ name, sync }) => name === "web-0" && sync["sds"] === "SYNCED") || undefined,
    );
  });
});
