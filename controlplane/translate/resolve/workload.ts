// A pod as the mesh sees it: who runs there, behind which proxy, at which addresses.
import type { Labels } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { parseSpiffeId, spiffeId, type SpiffeId } from "../../model/spiffe.ts";
import type { SocketAddress } from "../ir/proxy.ts";
import type { ListenPort } from "../ir/proxy-class.ts";
import type { WorkloadRef } from "../ir/upstream.ts";
import { memoized } from "../../world/memo.ts";

/** Annotations of pods; the runner of local processes and the injector write them. */
export const WORKLOAD_ANNOTATION = "scrim.mesh/workload";
export const PROXY_ANNOTATION = "scrim.mesh/proxy";
export const LISTEN_ANNOTATION = "scrim.mesh/listen";
export const OUTBOUND_ANNOTATION = "scrim.mesh/outbound";
/** Users write this one: `native` or `wasm` for this workload, whatever MeshConfig says. */
export const ENGINE_ANNOTATION = "scrim.mesh/engine";

/** The name by which this cluster appears in telemetry, Istio's default. */
export const CLUSTER_ID = "Kubernetes";

/** What is known of one pod. */
export interface Workload {
  readonly pod: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  /** "" until the pod has an address. */
  readonly ip: string;
  readonly proxy: "sidecar" | "router" | "none";
  readonly listens: readonly ListenPort[];
  readonly outbound?: SocketAddress;
  readonly engine?: "wasm" | "native";
  readonly containerPorts: readonly { readonly name: string; readonly port: number }[];
  readonly ready: boolean;
  readonly draining: boolean;
  readonly finished: boolean;
  readonly ref: WorkloadRef;
}

/** Returns what the mesh knows of a pod. Annotations that do not parse count as absent. */
export const workloadOf = memoized((pod: MeshObject<"Pod">): Workload => {
  const { metadata, spec } = pod;
  const proxy = proxyOf(pod);
  const outbound = parseSocketAddress(metadata.annotations[OUTBOUND_ANNOTATION] ?? "");
  const phase = spec.status?.phase ?? "";
  return {
    pod: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels,
    serviceAccount: spec.serviceAccountName || spec.serviceAccount || "default",
    ip: spec.status?.podIP ?? "",
    proxy,
    listens: parseListens(metadata.annotations[LISTEN_ANNOTATION] ?? ""),
    ...(outbound && { outbound }),
    ...engineOf(metadata.annotations[ENGINE_ANNOTATION]),
    containerPorts: (spec.containers ?? [])
      .flatMap((container) => container.ports ?? [])
      .map((port) => ({ name: port.name ?? "", port: port.containerPort })),
    ready: (spec.status?.conditions ?? []).some(
      (condition) => condition.type === "Ready" && condition.status === "True",
    ),
    draining: metadata.deletionTimestamp !== undefined,
    finished: phase === "Failed" || phase === "Succeeded",
    ref: workloadRef(workloadName(pod), metadata.namespace, metadata.labels),
  };
});

/** Returns a workload as telemetry names it, canonical name and revision by Istio's rules. */
export function workloadRef(name: string, namespace: string, labels: Labels): WorkloadRef {
  return {
    name,
    namespace,
    canonicalName: labels["service.istio.io/canonical-name"] || labels["app.kubernetes.io/name"] || labels.app || name,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ||
      labels["app.kubernetes.io/version"] ||
      labels.version ||
      "latest",
    clusterId: CLUSTER_ID,
  };
}

/** Returns the identity, or undefined where names could not stand in one. */
export function identityOf(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId | undefined {
  const readable = parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  return readable === undefined ? undefined : spiffeId(trustDomain, namespace, serviceAccount);
}

/** Returns the parts of `127.10.4.7:9080` or `[::1]:9080`; undefined for anything else. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const [, v6, v4, port] = /^(?:\[([0-9a-f:.]+)\]|([^[\]:]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4;
  const number = Number(port);
  return address === undefined || !(number >= 1 && number <= 65_535) ? undefined : { address, port: number };
}

/** A pod of a Deployment is called <deployment>-<hash>-<id>; anything else is its own workload. */
function workloadName(pod: MeshObject<"Pod">): string {
  const given = pod.metadata.annotations[WORKLOAD_ANNOTATION];
  if (given) return given;
  const hash = pod.metadata.labels["pod-template-hash"];
  const at = hash === undefined ? -1 : pod.metadata.name.lastIndexOf(`-${hash}-`);
  return at > 0 ? pod.metadata.name.slice(0, at) : pod.metadata.name;
}

function engineOf(annotation: string | undefined): Pick<Workload, "engine"> {
  return annotation === "wasm" || annotation === "native" ? { engine: annotation } : {};
}

function proxyOf(pod: MeshObject<"Pod">): Workload["proxy"] {
  const { annotations, labels } = pod.metadata;
  const given = annotations[PROXY_ANNOTATION];
  if (given === "sidecar" || given === "router") return given;
  // Pods that Istio's injector (or one like it) gave a sidecar say so in these two ways.
  return annotations["sidecar.istio.io/status"] !== undefined || labels["security.istio.io/tlsMode"] === "istio"
    ? "sidecar"
    : "none";
}

function parseListens(text: string): readonly ListenPort[] {
  const list = parseJson(text);
  return Array.isArray(list) ? list.flatMap(parseListen) : [];
}

function parseListen(entry: unknown): readonly ListenPort[] {
  if (typeof entry !== "object" || entry === null) return [];
  const { port, name, address, app } = entry as Record<string, unknown>;
  const bind = typeof address === "string" ? parseSocketAddress(address) : undefined;
  if (typeof port !== "number" || bind === undefined) return [];
  const application = typeof app === "string" ? parseSocketAddress(app) : undefined;
  return [{ port, name: typeof name === "string" ? name : "", bind, ...(application && { application }) }];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
