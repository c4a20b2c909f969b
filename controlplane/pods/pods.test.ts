import { describe, expect, it } from "vitest";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { loadText } from "../store/load.ts";
import { decodeAnnotations, encodeAnnotations } from "./annotations.ts";
import { encodeInjection, injectionStatus } from "./injection.ts";
import { sidecarListens } from "./listen-port.ts";
import { podDocument, type PodDraft } from "./pod-document.ts";
import { podFactsOf, proxiedPods } from "./pod-facts.ts";
import { declaredPorts, servedPorts } from "./served-ports.ts";
import { proxyOf, wantsSidecar } from "./sidecar.ts";

const draft: PodDraft = {
  name: "reviews-v1-0-x2b9f",
  namespace: "default",
  labels: { app: "reviews", version: "v1" },
  serviceAccount: "bookinfo-reviews",
  ip: "127.10.4.7",
  workload: "reviews-v1",
  proxy: "sidecar",
  listens: sidecarListens("127.10.4.7", [{ port: 9080, name: "http" }], () => 41_233),
  containerPorts: [{ port: 9080, name: "http" }],
  outbound: { address: "127.10.4.7", port: 15_001 },
  envoyAdmin: "127.10.4.7:15000",
  envoyPid: 42,
  templateHash: "h1",
  ready: true,
};

const worldOf = (...documents: readonly (object | string)[]) => {
  const text = documents.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n---\n");
  const { world, violations } = loadText(text);
  expect(violations).toEqual([]);
  return world;
};

describe("a pod of a cluster", () => {
  const pod = (annotations: object, spec: object) => {
    const metadata = { name: "web-1", namespace: "shop", annotations };
    const status = { podIP: "10.0.0.7", phase: "Running" };
    return podFactsOf(worldOf({ apiVersion: "v1", kind: "Pod", metadata, spec, status }).list("Pod")[0]!);
  };
  const application = { name: "app", ports: [{ name: "http", containerPort: 8080 }] };
  const proxy = { name: "istio-proxy", ports: [{ name: "http-envoy-prom", containerPort: 15_090 }] };
  const sidecar = encodeAnnotations({ proxy: "sidecar", capture: "REDIRECT" });
  const served = [{ name: "http", port: 8080 }];

  it("serves what its application does, wherever its sidecar stands", () => {
    for (const spec of [
      { containers: [application, proxy] },
      { containers: [application], initContainers: [{ ...proxy, restartPolicy: "Always" }] },
    ]) {
      const { containerPorts, listens } = pod(sidecar, spec);
      expect(containerPorts).toEqual(served);
      expect(listens.map(({ port }) => port)).toEqual([8080]);
    }
    const ofIstio = { "sidecar.istio.io/status": "{}" };
    expect(pod(ofIstio, { containers: [application, proxy] }).containerPorts).toEqual(served);
  });

  it("that is a gateway is its proxy", () => {
    const { containerPorts } = pod(encodeAnnotations({ proxy: "router" }), { containers: [proxy] });
    expect(containerPorts).toEqual([{ name: "http-envoy-prom", port: 15_090 }]);
  });
});

describe("a pod's annotations", () => {
  it.each([
    { workload: "web", proxy: "sidecar", listens: draft.listens, outbound: draft.outbound },
    { proxy: "router", listens: [{ port: 80, name: "", bind: { address: "::1", port: 8080 } }], envoyPid: 7 },
    { workload: "web" },
  ] as const)("say what they were made from: %o", (said) => {
    expect(decodeAnnotations(encodeAnnotations(said))).toMatchObject(said);
  });

  it("that do not parse count as absent", () => {
    const texts = [
      "{",
      "{}",
      "[1, null]",
      '[{"port": "80", "address": "1.1.1.1:80"}]',
      '[{"port": 80, "address": "x"}]',
    ];
    for (const listen of texts) expect(decodeAnnotations({ "scrim.mesh/listen": listen }).listens).toEqual([]);
    expect(
      decodeAnnotations({
        "scrim.mesh/proxy": "ambient",
        "scrim.mesh/outbound": "1.1.1.1:0",
        "scrim.mesh/engine": "both",
        "scrim.mesh/envoy-pid": "many",
      }),
    ).toMatchObject({ proxy: undefined, outbound: undefined, engine: undefined, envoyPid: undefined });
  });
});

describe("a Pod", () => {
  it("tells what it was made from", () => {
    const [pod] = worldOf(podDocument(draft)).list("Pod");
    expect(pod && podFactsOf(pod)).toMatchObject(draft);
  });

  it("that nobody gave a proxy tells its workload and ports only", () => {
    const { listens, outbound, envoyAdmin, envoyPid, templateHash, ...plain } = draft;
    const document = podDocument({ ...plain, proxy: "none" });
    expect(document.metadata.annotations).toEqual({ "scrim.mesh/workload": "reviews-v1" });
    expect(proxiedPods(worldOf(document))).toEqual([]);
  });

  it("that was injected has a captured sidecar, at the ports that its containers declare", () => {
    const status = { revision: "default", initContainers: ["istio-proxy"], containers: [], volumes: ["istio-token"] };
    const annotations = encodeInjection({
      ...{ proxy: "sidecar", workload: "web", capture: "REDIRECT" },
      status: { ...status, imagePullSecrets: [] },
    });
    const [pod] = worldOf({
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", annotations } },
      spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }] },
      status: { podIP: "10.1.2.3" },
    }).list("Pod");
    const at = { address: "10.1.2.3", port: 8080 };
    expect(pod && podFactsOf(pod)).toMatchObject({
      ...{ proxy: "sidecar", capture: "REDIRECT", workload: "web" },
      listens: [{ port: 8080, name: "http", bind: at, application: at }],
    });
    expect(injectionStatus(annotations)).toMatchObject(status);
    expect(annotations["sidecar.istio.io/status"]).toBe(
      '{"initContainers":["istio-proxy"],"containers":[],"volumes":["istio-token"],"imagePullSecrets":[],' +
        '"revision":"default"}',
    );
    expect(injectionStatus({ "sidecar.istio.io/status": "{" })).toBeUndefined();
  });

  it("that was injected as a gateway listens where Gateways and its Service say", () => {
    const annotations = encodeInjection({
      ...{ proxy: "router", workload: "gw" },
      status: { revision: "default", initContainers: [], containers: [], volumes: [], imagePullSecrets: [] },
    });
    const metadata = { name: "gw-1", labels: { istio: "gw" }, annotations };
    const world = worldOf(
      { apiVersion: "v1", kind: "Pod", metadata, spec: {}, status: { podIP: "10.1.2.3" } },
      "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {selector: {istio: gw}, " +
        'servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}}',
      "{apiVersion: v1, kind: Service, metadata: {name: gw}, spec: {selector: {istio: gw}, " +
        "ports: [{port: 80, targetPort: 8080}]}}",
    );
    expect(proxyOfPod(world, world.list("Pod")[0]!)).toMatchObject({
      class: { kind: "router", workload: "gw", goesOut: false },
      listens: [{ port: 80, bind: { address: "10.1.2.3", port: 8080 } }],
    });
  });

  it("of a Deployment is of the workload that its name begins with", () => {
    const name = "web-6f7d9-abcde";
    const [pod] = worldOf(
      `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, labels: {pod-template-hash: 6f7d9}}, spec: {}}`,
    ).list("Pod");
    expect(pod && podFactsOf(pod)).toMatchObject({ workload: "web", ref: { name: "web", canonicalName: "web" } });
  });
});

describe("who gets a sidecar", () => {
  const refusal = { "sidecar.istio.io/inject": "false" };
  it.each([
    [{ labels: {}, annotations: {} }, true],
    [{ labels: { "sidecar.istio.io/inject": "true" }, annotations: {} }, true],
    [{ labels: refusal, annotations: {} }, false],
    [{ labels: {}, annotations: refusal }, false],
  ])("%o: %s", (marks, wanted) => expect(wantsSidecar(marks)).toBe(wanted));

  it.each([
    [{ labels: {}, annotations: {} }, "none"],
    [{ labels: {}, annotations: { "scrim.mesh/proxy": "router" } }, "router"],
    [{ labels: { "security.istio.io/tlsMode": "istio" }, annotations: {} }, "sidecar"],
    [{ labels: {}, annotations: { "sidecar.istio.io/status": "{}" } }, "sidecar"],
  ] as const)("%o has: %s", (marks, proxy) => expect(proxyOf(marks)).toBe(proxy));
});

describe("the ports that a workload serves", () => {
  const service = (name: string, ports: string) =>
    `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: shop}, ` +
    `spec: {selector: {app: web}, ports: [${ports}]}}`;
  const world = worldOf(
    service("a", '{name: http, port: 80, targetPort: 7000}, {name: text, port: 90, targetPort: "7001"}'),
    service("b", "{name: again, port: 81, targetPort: 7000}, {name: named, port: 82, targetPort: http}"),
    service("c", "{name: same, port: 7002}"),
    "{apiVersion: v1, kind: Service, metadata: {name: all, namespace: shop}, spec: {ports: [{port: 1}]}}",
  );

  it("are those to which its Services lead by number, each once", () => {
    expect(servedPorts(world, "shop", { app: "web" })).toEqual([
      { port: 7000, name: "http" },
      { port: 7001, name: "text" },
      { port: 7002, name: "same" },
    ]);
    expect(servedPorts(world, "default", { app: "web" })).toEqual([]);
  });

  it("come after the TCP ports that its containers declare", () => {
    const declared = declaredPorts([
      { ports: [{ containerPort: 7001 }, { containerPort: 53, protocol: "UDP" }] },
      { ports: [{ containerPort: 9000, name: "admin" }] },
    ]);
    expect(servedPorts(world, "shop", { app: "web" }, declared).map(({ port, name }) => `${port} ${name}`)).toEqual([
      "7001 ",
      "9000 admin",
      "7000 http",
      "7002 same",
    ]);
  });
});
