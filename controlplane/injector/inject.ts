// Consumes: a pod (or the template of pods), the mesh, and the values that the control plane was installed with.
// Produces: the pod with its proxy, or why it has none. Whoever asks (webhook, kube-inject) gets the same, and a pod that
// was injected before is injected anew, not twice.
// Never does: ask anybody; change what the pod runs.
import { type Failure, failed, isFailed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import { STATISTICS_PORT } from "../model/capture-ports.ts";
import type { Labels } from "../model/labels.ts";
import { serviceAccountOf } from "../pods/pod-facts.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { type AskedProxy, askedProxy } from "./asked-proxy.ts";
import { volumesOf } from "./files.ts";
import { INIT_CONTAINER, initContainer, type RunsAs } from "./init-container.ts";
import { asBefore, isOfAnother, type Marks, marksOf } from "./marks.ts";
import { mergeContainer } from "./own-container.ts";
import { named, type Named, type PodMetadata, type PodSpecification, type PodTemplate, without } from "./pod.ts";
import { leadProbes } from "./probes.ts";
import { type IpFamilies, PROXY_CONTAINER, proxyContainer, type ProxyFacts } from "./proxy-container.ts";
import type { InjectionValues } from "./values.ts";
import { whetherInjected } from "./who-is-injected.ts";
import { workloadOf } from "./workload-of.ts";

/** What an injection goes by, beside the pod. */
export interface InjectionContext {
  /** The pod's. */
  readonly namespace: string;
  readonly values: InjectionValues;
  /** The mesh's settings and ProxyConfigs. */
  readonly world: World;
  /** Where the pod itself does not tell whose it is: the name of what its template belongs to. */
  readonly workload?: string | undefined;
}

export type Injection =
  /** `warnings`: sentences of what was asked for and has no effect. */
  | { readonly kind: "injected"; readonly pod: PodTemplate; readonly warnings: readonly string[] }
  /** As it was; `reason` is a clause. */
  | { readonly kind: "left"; readonly reason: string }
  /** It asks for what it cannot have. */
  | Failure<"refused">;

/** The proxy's parts of a pod. */
interface Parts {
  readonly asked: AskedProxy;
  readonly workload: string;
  readonly proxy: Named;
  readonly init: Named | undefined;
  readonly containers: readonly Named[];
  readonly initContainers: readonly Named[];
  readonly marks: Marks;
}

const CONTROL_PLANE_APP = "istiod";
const INTERCEPTION_MODE = "sidecar.istio.io/interceptionMode";
const TEMPLATES = "inject.istio.io/templates";
const PROXYLESS = ["grpc-simple", "grpc-agent"];

/** Returns the pod with its proxy. */
export function injectPod(given: PodTemplate, context: InjectionContext): Injection {
  const pod = asBefore(given);
  const { labels, annotations } = pod.metadata;
  const choice = whetherInjected({
    ...{ namespace: context.namespace, labels, annotations },
    hostNetwork: pod.spec["hostNetwork"] === true,
  });
  if (choice.kind === "left") return choice;
  if (context.namespace === context.values.namespace && labels["app"] === CONTROL_PLANE_APP)
    return { kind: "left", reason: "it is the mesh's control plane" };
  if (isOfAnother(annotations)) return { kind: "left", reason: "another injector gave it a sidecar" };
  if (isJsonObject(pod.spec["os"]) && pod.spec["os"]["name"] === "windows")
    return { kind: "left", reason: "it runs on Windows" };
  const template = templateOf(annotations);
  if (isFailed(template)) return template;
  const asked = askedProxy({ namespace: context.namespace, labels, annotations }, context.values, context.world);
  if (isFailed(asked)) return failed("refused", asked.message);
  const workload = workloadOf(pod.metadata) || context.workload || "";
  return template.kind === "gateway"
    ? gateway(pod, { ...asked, isNative: false, capture: undefined }, workload, context)
    : sidecar(pod, asked, workload, context);
}

function templateOf(annotations: Labels): { readonly kind: "sidecar" | "gateway" } | Failure<"refused"> {
  const names = (annotations[TEMPLATES] ?? "sidecar").split(",").flatMap((name) => name.trim() || []);
  const [name, ...others] = names;
  if (others.length === 0 && (name === "sidecar" || name === "gateway")) return { kind: name };
  const proxyless = names.find((each) => PROXYLESS.includes(each));
  return failed(
    "refused",
    proxyless === undefined
      ? `annotation ${TEMPLATES}: ${names.join(",")} is neither sidecar nor gateway, and there are no templates of one's own`
      : `annotation ${TEMPLATES}: ${proxyless} needs an agent beside the application, which the mesh does not have`,
  );
}

function sidecar(pod: PodTemplate, asked: AskedProxy, workload: string, context: InjectionContext): Injection {
  const { values } = context;
  const own = ownContainer(pod.spec);
  const ledFrom = { containers: others(pod.spec.containers), initContainers: others(pod.spec.initContainers) };
  const isLed = asked.rewriteProbes && asked.hasStatusPort;
  const [containers, initContainers] = [ledFrom.containers, ledFrom.initContainers].map((list) =>
    isLed ? leadProbes(list) : { containers: list, probes: [], originals: {}, warnings: [] },
  ) as [ReturnType<typeof leadProbes>, ReturnType<typeof leadProbes>];
  const probes = [...containers.probes, ...initContainers.probes];
  const added = proxyContainer({ ...factsOf(pod, workload, "sidecar", context), probes }, asked, values);
  const parts: Parts = {
    ...{ asked, workload, containers: containers.containers, initContainers: initContainers.containers },
    proxy: own ? mergeContainer(added, own) : added,
    init: initContainer(asked, values, runsAs(own)),
    marks: { ...marksFrom(own, asked), originals: { ...containers.originals, ...initContainers.originals } },
  };
  return {
    kind: "injected",
    pod: { metadata: metadataOf(pod, parts, "sidecar", context), spec: withSidecar(pod.spec, parts, values) },
    warnings: [...asked.warnings, ...containers.warnings, ...initContainers.warnings, ...warningsOf(pod, parts)],
  };
}

function gateway(pod: PodTemplate, asked: AskedProxy, workload: string, context: InjectionContext): Injection {
  const { values } = context;
  const own = ownContainer(pod.spec);
  const added = proxyContainer({ ...factsOf(pod, workload, "router", context), probes: [] }, asked, values);
  const parts: Parts = {
    ...{ asked, workload, init: undefined, proxy: own ? mergeContainer(added, own) : added },
    ...{ containers: others(pod.spec.containers), initContainers: others(pod.spec.initContainers) },
    marks: { ...marksFrom(own, asked), originals: {} },
  };
  const spec = withVolumes({ ...pod.spec, containers: [parts.proxy, ...parts.containers] }, asked, values);
  return {
    kind: "injected",
    pod: { metadata: metadataOf(pod, parts, "router", context), spec: { ...spec, securityContext: lowPorts(spec) } },
    warnings: asked.warnings,
  };
}

function factsOf(
  { metadata, spec }: PodTemplate,
  workload: string,
  kind: ProxyFacts["kind"],
  { world }: InjectionContext,
): Omit<ProxyFacts, "probes"> {
  return {
    ...{ kind, workload },
    serviceAccount: serviceAccountOf(spec as { serviceAccountName?: string; serviceAccount?: string }),
    labels: { ...metadata.labels, ...labelsFor(metadata.labels, workload, kind) },
    trustDomain: world.mesh.trustDomain,
    ipFamilies: ipFamiliesOf(world),
  };
}

/** A pod that is not there yet will have addresses of the families that others have; the control plane's is one. */
const ipFamiliesOf = derived((world: World): IpFamilies => {
  const ips = world.list("Pod").flatMap(({ spec }) => (spec.status?.podIPs ?? []).map(({ ip = "" }) => ip));
  if (!ips.some((ip) => ip.includes(":"))) return "IPv4";
  return ips.some((ip) => ip.includes(".")) ? "dual" : "IPv6";
});

/** The pod's own words on its proxy, wherever it has them. */
function ownContainer({ containers, initContainers }: PodSpecification): Named | undefined {
  return named(containers, PROXY_CONTAINER) ?? named(initContainers, PROXY_CONTAINER);
}

function others(list: readonly Named[]): readonly Named[] {
  return without(list, [PROXY_CONTAINER, INIT_CONTAINER]);
}

function runsAs(own: Named | undefined): RunsAs {
  const { runAsUser, runAsGroup } = isJsonObject(own?.["securityContext"]) ? own["securityContext"] : {};
  return { uid: Number(runAsUser) || undefined, gid: Number(runAsGroup) || undefined };
}

function marksFrom(own: Named | undefined, { isNative }: AskedProxy): Pick<Marks, "own" | "isNative"> {
  return { own, isNative };
}

/**
 * A native sidecar comes first, with the rules before it: the pod's own init containers are in the mesh, too. Without
 * one they are not, or nobody would answer them: the rules come last.
 */
function withSidecar(spec: PodSpecification, parts: Parts, values: InjectionValues): PodSpecification {
  const { asked, proxy, containers, initContainers } = parts;
  const init = parts.init ? [parts.init] : [];
  const ordered = asked.isNative
    ? { initContainers: [...init, { ...proxy, restartPolicy: "Always" }, ...initContainers], containers }
    : {
        initContainers: [...initContainers, ...init],
        containers: asked.holdApplication ? [proxy, ...containers] : [...containers, proxy],
      };
  return withVolumes({ ...spec, ...ordered }, asked, values);
}

function withVolumes(spec: PodSpecification, asked: AskedProxy, values: InjectionValues): PodSpecification {
  const secrets = values.imagePullSecrets.map((name) => ({ name }));
  return {
    ...spec,
    volumes: [...spec.volumes, ...missing(spec.volumes, volumesOf(asked, values))],
    imagePullSecrets: [...spec.imagePullSecrets, ...missing(spec.imagePullSecrets, secrets)],
  };
}

/** Who has one of this name says what it is. */
function missing(there: readonly Named[], wanted: readonly Named[]): readonly Named[] {
  return wanted.filter(({ name }) => named(there, name) === undefined);
}

/** A gateway binds ports below 1024 without being root. */
function lowPorts({ securityContext }: PodSpecification): object {
  const { sysctls = [], ...context } = (securityContext ?? {}) as { readonly sysctls?: readonly Named[] };
  const free = { name: "net.ipv4.ip_unprivileged_port_start", value: "0" };
  return { ...context, sysctls: [...sysctls, ...missing(sysctls, [free])] };
}

function metadataOf(
  { metadata, spec }: PodTemplate,
  { asked, workload, init, containers, marks }: Parts,
  proxy: "sidecar" | "router",
  { values }: InjectionContext,
): PodMetadata {
  const { labels, annotations } = metadata;
  const first = containers[0]?.name;
  const wanted = volumesOf(asked, values);
  return {
    ...metadata,
    labels: { ...labels, ...labelsFor(labels, workload, proxy) },
    annotations: {
      ...(first !== undefined && {
        "kubectl.kubernetes.io/default-logs-container": first,
        "kubectl.kubernetes.io/default-container": first,
      }),
      ...scrapedAt(annotations),
      // A CNI plugin knows of a pod what its annotations say.
      ...(values.cni && proxy === "sidecar" && { [INTERCEPTION_MODE]: asked.capture ?? "NONE", ...values.capture }),
      ...annotations,
      ...marksOf({
        ...{ proxy, workload, capture: asked.capture, marks, revision: values.revision, hasInit: init !== undefined },
        volumes: missing(spec.volumes, wanted).map(({ name }) => name),
        imagePullSecrets: values.imagePullSecrets.filter((name) => named(spec.imagePullSecrets, name) === undefined),
      }),
    },
  };
}

/** Where Prometheus finds the proxy's statistics, unless the pod says itself where it is to look. */
function scrapedAt(annotations: Labels): Labels {
  const isSaid = Object.keys(annotations).some((name) => name.startsWith("prometheus.io/"));
  if (isSaid || annotations["prometheus.istio.io/merge-metrics"] === "false") return {};
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(STATISTICS_PORT),
    "prometheus.io/path": "/stats/prometheus",
  };
}

/** As Istio's: dashboards and peers know a workload by them. */
function labelsFor(labels: Labels, workload: string, proxy: "sidecar" | "router"): Labels {
  const name =
    labels["service.istio.io/canonical-name"] || labels["app.kubernetes.io/name"] || labels["app"] || workload;
  const version =
    labels["service.istio.io/canonical-revision"] ||
    labels["app.kubernetes.io/version"] ||
    labels["version"] ||
    "latest";
  return {
    ...(proxy === "sidecar" && { "security.istio.io/tlsMode": labels["security.istio.io/tlsMode"] || "istio" }),
    "service.istio.io/canonical-name": name.slice(0, 63).replace(/[-_.]+$/, ""),
    "service.istio.io/canonical-revision": version,
  };
}

function warningsOf({ spec }: PodTemplate, { asked, proxy, containers }: Parts): readonly string[] {
  const { uid } = runsAs(proxy);
  const sharing = containers.find((container) => uid !== 0 && uid !== undefined && runsAs(container).uid === uid);
  return [
    ...(!asked.isNative && asked.holdApplication
      ? ["holdApplicationUntilProxyStarts has no effect without native sidecars: applications start with their proxy"]
      : []),
    ...(!asked.isNative && spec["restartPolicy"] !== undefined && spec["restartPolicy"] !== "Always"
      ? ["this pod does not end by itself: its proxy is a plain container, which goes on when the others have ended"]
      : []),
    ...(sharing !== undefined && asked.capture !== undefined
      ? [`container ${sharing.name} runs as the proxy's user ${uid}: what it sends does not go through the proxy`]
      : []),
  ];
}
