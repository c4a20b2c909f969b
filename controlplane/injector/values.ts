// Consumes: the values that a control plane was installed with, under Istio's names.
// Produces: what injection goes by, with its defaults.
// Never does: judge values that it does not read.
import { isJsonObject } from "../model/json-object.ts";
import type { Labels } from "../model/labels.ts";

/** What holds for every pod that is injected, where it does not say otherwise itself. */
export interface InjectionValues {
  /** "" for the one without a name. */
  readonly revision: string;
  /** Where the control plane is. */
  readonly namespace: string;
  readonly proxyImage: string;
  readonly initImage: string;
  readonly imagePullPolicy: string | undefined;
  readonly imagePullSecrets: readonly string[];
  /** HOST:PORT of xDS; the host is a name in the server's certificate. */
  readonly xdsAddress: string;
  readonly tokenAudience: string;
  readonly clusterId: string;
  /** Somebody else applies the rules of capture: no init container. */
  readonly cni: boolean;
  /** Whether a container may be told to wait before it ends; servers before 1.30 take no such pods. */
  readonly canSleep: boolean;
  /** Whether proxies are init containers that go on; plain containers where a server does not know such. */
  readonly nativeSidecars: boolean;
  readonly logLevel: string;
  readonly componentLogLevel: string;
  readonly resources: object | undefined;
  /** What of pods' connections is captured, as annotations say it. */
  readonly capture: Labels;
  readonly rewriteProbes: boolean;
  readonly holdApplication: boolean;
  /** Seconds and counts of the proxy's own probes. */
  readonly readiness: {
    readonly initialDelaySeconds: number;
    readonly periodSeconds: number;
    readonly failureThreshold: number;
    readonly startupFailureThreshold: number;
  };
  readonly seccompProfile: object | undefined;
  readonly lifecycle: object | undefined;
}

const RESOURCES = { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "2000m", memory: "1024Mi" } };

/**
 * Returns what injection goes by; `values` as in a Helm release's values.yaml. What is not written, or is no value of
 * its kind, is as by default; `version` is the tag of images unless they say another.
 */
export function injectionValues(values: unknown, version: string): InjectionValues {
  const at = (...path: readonly string[]): unknown =>
    path.reduce<unknown>((inside, name) => (isJsonObject(inside) ? inside[name] : undefined), values);
  const text = (fallback: string, ...path: readonly string[]): string => {
    const value = at(...path);
    return typeof value === "string" ? value : typeof value === "number" ? String(value) : fallback;
  };
  const count = (fallback: number, ...path: readonly string[]): number => {
    const value = Number(at(...path) ?? Number.NaN);
    return Number.isInteger(value) && value >= 0 ? value : fallback;
  };
  const flag = (fallback: boolean, ...path: readonly string[]): boolean => {
    const value = at(...path);
    return typeof value === "boolean" ? value : value === "true" ? true : value === "false" ? false : fallback;
  };
  const map = (...path: readonly string[]): object | undefined => {
    const value = at(...path);
    return isJsonObject(value) ? value : undefined;
  };
  const revision = text("", "revision");
  const namespace = text("istio-system", "global", "istioNamespace");
  const image = (name: string) =>
    imageNamed(name, text("docker.io/scrim", "global", "hub"), text(version, "global", "tag"));
  const service = `istiod${revision === "" ? "" : `-${revision}`}.${namespace}.svc`;
  return {
    ...{ revision, namespace },
    proxyImage: image(text("proxy", "global", "proxy", "image")),
    initImage: image(text("init", "global", "proxy_init", "image")),
    imagePullPolicy: text("", "global", "imagePullPolicy") || undefined,
    imagePullSecrets: textsIn(at("global", "imagePullSecrets")),
    xdsAddress: withPort(text("", "global", "remotePilotAddress") || text("", "global", "caAddress") || service),
    tokenAudience: text("istio-ca", "global", "sds", "token", "aud"),
    clusterId: text("", "global", "multiCluster", "clusterName") || "Kubernetes",
    cni: flag(false, "cni", "enabled") || flag(false, "pilot", "cni", "enabled"),
    canSleep: true,
    nativeSidecars: flag(true, "pilot", "env", "ENABLE_NATIVE_SIDECARS"),
    logLevel: text("warning", "global", "proxy", "logLevel"),
    componentLogLevel: text("", "global", "proxy", "componentLogLevel"),
    resources: map("global", "proxy", "resources") ?? RESOURCES,
    capture: captureIn(text),
    rewriteProbes: flag(true, "sidecarInjectorWebhook", "rewriteAppHTTPProbe"),
    holdApplication: flag(false, "global", "proxy", "holdApplicationUntilProxyStarts"),
    readiness: {
      initialDelaySeconds: count(0, "global", "proxy", "readinessInitialDelaySeconds"),
      periodSeconds: count(15, "global", "proxy", "readinessPeriodSeconds"),
      failureThreshold: count(4, "global", "proxy", "readinessFailureThreshold"),
      startupFailureThreshold: count(600, "global", "proxy", "startupProbe", "failureThreshold"),
    },
    seccompProfile: map("global", "proxy", "seccompProfile"),
    lifecycle: map("global", "proxy", "lifecycle"),
  };
}

/** Returns the full name of an image; one with a registry or a folder is full as it is. */
export function imageNamed(name: string, hub: string, tag: string): string {
  if (name.includes("/")) return name;
  return `${hub}/${name}${/[:@]/.test(name) ? "" : `:${tag}`}`;
}

const captureNames: Labels = {
  includeIPRanges: "traffic.sidecar.istio.io/includeOutboundIPRanges",
  excludeIPRanges: "traffic.sidecar.istio.io/excludeOutboundIPRanges",
  includeInboundPorts: "traffic.sidecar.istio.io/includeInboundPorts",
  excludeInboundPorts: "traffic.sidecar.istio.io/excludeInboundPorts",
  includeOutboundPorts: "traffic.sidecar.istio.io/includeOutboundPorts",
  excludeOutboundPorts: "traffic.sidecar.istio.io/excludeOutboundPorts",
};

function captureIn(text: (fallback: string, ...path: readonly string[]) => string): Labels {
  const said = Object.entries(captureNames).map(([name, annotation]): readonly [string, string] => [
    annotation,
    text("", "global", "proxy", name),
  ]);
  return Object.fromEntries(said.filter(([, value]) => value !== ""));
}

function withPort(address: string): string {
  return /:\d+$/.test(address) ? address : `${address}:15012`;
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
