// Consumes: a pod's labels and annotations under the names by which Istio's injection is told what to do.
// Produces: a sentence for each of them that has no effect here.
// Never does: judge the value of an annotation that has one (asked-proxy.ts does), or refuse a pod.
import type { Labels } from "../model/labels.ts";
import { nearest } from "../validate/suggest.ts";
import { INJECT } from "./who-is-injected.ts";

const OWNED = /^(?:(?:(?:traffic|status|readiness\.status)\.)?sidecar|inject|proxy|prometheus)\.istio\.io\//;

const under = (prefix: string, names: string): readonly string[] =>
  names.split(" ").map((name) => `${prefix}.istio.io/${name}`);

const withEffect: readonly string[] = [
  ...under("sidecar", "bootstrapOverride capNetBindService componentLogLevel discoveryAddress extraStatTags inject"),
  ...under("sidecar", "interceptionMode logLevel nativeSidecar proxyCPU proxyCPULimit proxyImage proxyMemory"),
  ...under("sidecar", "proxyMemoryLimit rewriteAppHTTPProbers status userVolume userVolumeMount"),
  ...under("traffic.sidecar", "includeInboundPorts includeOutboundIPRanges includeOutboundPorts kubevirtInterfaces"),
  ...under("traffic.sidecar", "excludeInboundPorts excludeOutboundIPRanges excludeOutboundPorts excludeInterfaces"),
  ...under("readiness.status.sidecar", "initialDelaySeconds periodSeconds failureThreshold"),
  ...under("status.sidecar", "port"),
  ...under("inject", "templates"),
  ...under("proxy", "config overrides health-checks-enabled"),
  ...under("prometheus", "merge-metrics"),
];

const WHICH_STATISTICS = "extraStatTags and the mesh's Telemetry say what is counted";
/** Of Istio's agent, of its image, or of statistics that are the mesh's: there is none of them. */
const withoutEffect: Labels = {
  "sidecar.istio.io/agentLogLevel": "there is no agent beside Envoy",
  "sidecar.istio.io/proxyImageType": "there is one image of the proxy; sidecar.istio.io/proxyImage names another",
  "sidecar.istio.io/enableCoreDump": "Envoy's image writes no core dumps",
  "sidecar.istio.io/statsHistogramBuckets": "the buckets are the mesh's",
  "sidecar.istio.io/statsHistogramBins": "the buckets are the mesh's",
  "sidecar.istio.io/statsCompression": "statistics are sent as they are",
  "sidecar.istio.io/statsInclusionPrefixes": WHICH_STATISTICS,
  "sidecar.istio.io/statsInclusionSuffixes": WHICH_STATISTICS,
  "sidecar.istio.io/statsInclusionRegexps": WHICH_STATISTICS,
  "sidecar.istio.io/statsFlushInterval": "statistics are kept as Envoy does by itself",
  "sidecar.istio.io/statsEvictionInterval": "statistics are kept as Envoy does by itself",
  "readiness.status.sidecar.istio.io/applicationPorts": "the proxy's readiness says nothing of the application's ports",
};

/** Returns the sentences on a pod that is injected. */
export function marksWithoutEffect(pod: { readonly labels: Labels; readonly annotations: Labels }): readonly string[] {
  return [...choiceWithoutEffect(pod), ...Object.keys(pod.labels).flatMap(ofLabel), ...of(pod.annotations)];
}

function choiceWithoutEffect({ labels, annotations }: { readonly labels: Labels; readonly annotations: Labels }) {
  const where = labels[INJECT] === undefined ? "annotation" : "label";
  const value = labels[INJECT] ?? annotations[INJECT] ?? "";
  return ["true", "false", ""].includes(value)
    ? []
    : [`${where} ${INJECT} has no effect: ${JSON.stringify(value)} is neither "true" nor "false"`];
}

function ofLabel(name: string): readonly string[] {
  if (!OWNED.test(name) || name === INJECT) return [];
  return [
    `label ${name} has no effect: ${withEffect.includes(name) ? "it counts as an annotation only" : unknown(name)}`,
  ];
}

function of(annotations: Labels): readonly string[] {
  return Object.keys(annotations).flatMap((name) => {
    if (!OWNED.test(name) || withEffect.includes(name)) return [];
    const why = Object.hasOwn(withoutEffect, name) ? withoutEffect[name] : unknown(name);
    return [`annotation ${name} has no effect: ${why}`];
  });
}

function unknown(name: string): string {
  const last = (full: string) => full.slice(full.indexOf("/") + 1);
  const known = [...withEffect, ...Object.keys(withoutEffect)];
  const meant = nearest(last(name), known.map(last));
  const hint = known.find((full) => last(full) === meant);
  return `there is none of this name${hint === undefined ? "" : `; did you mean "${hint}"?`}`;
}
