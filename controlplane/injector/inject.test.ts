import { describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { injectPod, type InjectionContext } from "./inject.ts";
import { named, type PodTemplate, readPod } from "./pod.ts";
import { injectionValues } from "./values.ts";

type Fields = Readonly<Record<string, unknown>>;

const context = (yaml = "", more: Partial<InjectionContext> = {}): InjectionContext => ({
  ...{ namespace: "shop", values: injectionValues({}, "1.0.0"), world: loadText(yaml).world, workload: "web" },
  ...more,
});
const meshConfig = (mesh: object) =>
  JSON.stringify({
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" } },
    data: { mesh: JSON.stringify(mesh) },
  });

function podWith({ annotations = {}, labels = {}, ...spec }: { annotations?: object; labels?: object } & Fields = {}) {
  const pod = readPod({
    metadata: { labels, annotations },
    spec: { containers: [{ name: "web", image: "web:1" }], ...spec },
  });
  if ("kind" in pod) throw new Error(pod.message);
  return pod;
}

function injected(pod: PodTemplate, given = context()) {
  const injection = injectPod(pod, given);
  if (injection.kind !== "injected") throw new Error(JSON.stringify(injection));
  const { spec, metadata } = injection.pod;
  const proxy = (named(spec.initContainers, "istio-proxy") ?? named(spec.containers, "istio-proxy")) as Fields;
  const args = proxy["args"] as readonly string[];
  return { ...injection, spec, metadata, proxy, args, bootstrap: args[args.indexOf("--config-yaml") + 1] ?? "" };
}

describe("injectPod", () => {
  it("goes by the mesh's defaults, and by the pod's own word before them", () => {
    const mesh = {
      defaultConfig: { interceptionMode: "TPROXY", discoveryAddress: "istiod.a.svc:15012", concurrency: 0 },
    };
    const given = context(meshConfig(mesh));
    const wide = injected(podWith(), given);
    expect(wide.metadata.annotations["scrim.mesh/capture"]).toBe("TPROXY");
    expect(wide.bootstrap).toContain('"address":"istiod.a.svc"');
    expect(wide.args).not.toContain("--concurrency");
    const annotations = { "proxy.istio.io/config": "{interceptionMode: NONE, discoveryAddress: 'b.svc:1'}" };
    const own = injected(podWith({ annotations }), given);
    expect(own.metadata.annotations["scrim.mesh/capture"]).toBeUndefined();
    expect(own.bootstrap).toContain('"address":"b.svc"');
  });

  it("goes by ProxyConfigs, as they count in Istio", () => {
    const config = (name: string, spec: object) =>
      JSON.stringify({
        apiVersion: "networking.istio.io/v1beta1",
        kind: "ProxyConfig",
        metadata: { name, namespace: "shop" },
        spec,
      });
    const given = context(
      [
        config("all", { concurrency: 3, environmentVariables: { A: "1" } }),
        config("web", { selector: { matchLabels: { app: "web" } }, concurrency: 4 }),
      ].join("\n---\n"),
    );
    const { args, proxy } = injected(podWith({ labels: { app: "web" } }), given);
    expect(args[args.indexOf("--concurrency") + 1]).toBe("4");
    expect(proxy["env"]).toContainEqual({ name: "A", value: "1" });
  });

  it.each([
    [["10.1.1.1"], ["0.0.0.0"]],
    [["fd00::1"], ["::"]],
    [
      ["10.1.1.1", "fd00::1"],
      ["0.0.0.0", "::"],
    ],
  ])("gives proxies the families of addresses that pods have: %j", (ips, listening) => {
    const status = { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "istiod" }, spec: {}, status };
    const { bootstrap } = injected(podWith(), context(JSON.stringify(pod)));
    const readiness = /"name":"readiness".*?"name":"statistics"/.exec(bootstrap)?.[0] ?? "";
    expect([...readiness.matchAll(/"address":"([^"]+)","port_value":15021/g)].map(([, address]) => address)).toEqual(
      listening,
    );
  });

  it.each<[string, Fields, Partial<InjectionContext>]>([
    ["it is the mesh's control plane", { labels: { app: "istiod" } }, { namespace: "istio-system" }],
    ["it runs on Windows", { os: { name: "windows" } }, {}],
    ["it uses the host's network, where nothing may be captured", { hostNetwork: true }, {}],
    ["another injector gave it a sidecar", { annotations: { "sidecar.istio.io/status": "{}" } }, {}],
  ])("leaves a pod alone: %s", (reason, pod, more) => {
    expect(injectPod(podWith(pod), context("", more))).toEqual({ kind: "left", reason });
  });

  it.each([
    ["mine", /mine is neither sidecar nor gateway/],
    ["sidecar,gateway", /neither sidecar nor gateway/],
    ["grpc-simple", /grpc-simple needs an agent/],
  ])("refuses templates that it does not have: %s", (templates, why) => {
    const injection = injectPod(podWith({ annotations: { "inject.istio.io/templates": templates } }), context());
    expect(injection).toMatchObject({ kind: "failed", code: "refused", message: expect.stringMatching(why) as string });
  });

  it.each<[string, readonly RegExp[]]>([
    ["concurrency: -1\nfoo: 3", [/proxy.istio.io\/config: concurrency: must be/, /unknown field "foo"/]],
    ["interceptionMode: SOME", [/interceptionMode: must be one of REDIRECT/]],
    ["- a", [/proxy.istio.io\/config: must be a map of fields/]],
    ["a: [", [/proxy.istio.io\/config: /]],
  ])("refuses settings of the proxy as documents of the mesh are: %j", (text, why) => {
    const injection = injectPod(podWith({ annotations: { "proxy.istio.io/config": text } }), context());
    expect(injection).toMatchObject({ kind: "failed", code: "refused" });
    for (const each of why) expect(injection).toHaveProperty("message", expect.stringMatching(each));
  });

  it("warns of settings that have no effect, and not of those that injection goes by", () => {
    const text = "{statNameLength: 200, interceptionMode: TPROXY, discoveryAddress: 'b.svc:1'}";
    expect(injected(podWith({ annotations: { "proxy.istio.io/config": text } })).warnings).toEqual([
      "annotation proxy.istio.io/config: statNameLength: has no effect: whoever starts Envoy says it",
    ]);
    const held = injected(podWith({ annotations: { "proxy.istio.io/config": "holdApplicationUntilProxyStarts: on" } }));
    expect(held.warnings).toEqual([]);
  });

  it("lets no text of the pod become a variable or an option of Envoy's", () => {
    const annotations = { "sidecar.istio.io/extraStatTags": "$(HOME),a$$b" };
    const { bootstrap } = injected(podWith({ annotations }));
    expect(bootstrap).not.toMatch(/(?<!\$)(?:\$\$)*\$\((?!POD_)/);
    const rules = { "traffic.sidecar.istio.io/excludeInterfaces": "eth0\n-F" };
    expect(injectPod(podWith({ annotations: rules }), context()).kind).toBe("failed");
  });

  it("says where Prometheus finds the statistics, unless the pod does", () => {
    expect(injected(podWith()).metadata.annotations).toMatchObject({
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "15090",
      "prometheus.io/path": "/stats/prometheus",
    });
    const own = injected(podWith({ annotations: { "prometheus.io/port": "9100" } })).metadata.annotations;
    expect(Object.keys(own).filter((name) => name.startsWith("prometheus.io/"))).toEqual(["prometheus.io/port"]);
  });

  it("warns where an application runs as the proxy does", () => {
    const containers = [{ name: "web", image: "web:1", securityContext: { runAsUser: 1337 } }];
    expect(injected(podWith({ containers })).warnings).toEqual([
      "container web runs as the proxy's user 1337: what it sends does not go through the proxy",
    ]);
  });
});
