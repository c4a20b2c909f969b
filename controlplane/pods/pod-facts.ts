// Consumes: a Pod of the World.
// Produces: what the mesh knows of it: who runs there, behind which proxy, at which addresses, in which state.
// Never does: look at anything else than the Pod.
import type { ContainerSpec } from "../model/kinds/pod.ts";
import type { Labels } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { workloadRef, type WorkloadRef } from "../model/workload-ref.ts";
import { memoized } from "../world/memo.ts";
import type { World } from "../world/world.ts";
import { withTopology } from "./locality.ts";
import { decodeAnnotations, givenProxy, type ProxyAnnotations } from "./annotations.ts";
import { capturedListens } from "./listen-port.ts";
import { declaredPorts, type ServedPort } from "./served-ports.ts";
import { type PodProxy, PROXY_CONTAINER, proxyOf } from "./sidecar.ts";

/** What is known of one pod. */
export interface PodFacts extends Omit<ProxyAnnotations, "proxy"> {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  /** "" until the pod has an address. */
  readonly ip: string;
  /** What it has beside `ip`: an address of the other family. */
  readonly moreIps: readonly string[];
  readonly proxy: PodProxy;
  readonly containerPorts: readonly ServedPort[];
  readonly ready: boolean;
  readonly terminating: boolean;
  /** Its containers ended for good. */
  readonly finished: boolean;
  /** As telemetry names its workload. */
  readonly ref: WorkloadRef;
}

/** Returns what the mesh knows of a pod; the same object each time. */
export const podFactsOf = memoized((pod: MeshObject<"Pod">): PodFacts => {
  const { metadata, spec } = pod;
  const { name, namespace, annotations } = metadata;
  const labels = withTopology(metadata.labels, annotations);
  const said = decodeAnnotations(annotations);
  const workload = said.workload || workloadName(name, labels);
  const { podIP, podIPs, phase, conditions } = spec.status ?? {};
  const isInjected = said.proxy === "sidecar" && said.capture !== undefined && said.listens.length === 0;
  const containers = applicationContainers(spec.containers, proxyOf(metadata));
  return {
    ...said,
    // Who injects does not know the pod's address: a captured sidecar is reached where its application is.
    ...(isInjected && { listens: capturedListens(podIP ?? "", declaredPorts(containers)) }),
    name,
    namespace,
    labels,
    workload,
    serviceAccount: serviceAccountOf(spec),
    ip: podIP ?? "",
    moreIps: (podIPs ?? []).flatMap(({ ip }) => (ip === undefined || ip === podIP ? [] : [ip])),
    proxy: proxyOf(metadata),
    containerPorts: containers
      .flatMap((container) => container.ports ?? [])
      .map((port) => ({ name: port.name ?? "", port: port.containerPort })),
    ready: (conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
    terminating: metadata.deletionTimestamp !== undefined,
    finished: phase === "Failed" || phase === "Succeeded",
    ref: workloadRef(workload, namespace, labels),
  };
});

/** What a sidecar's own container listens on is not the workload's; as a native sidecar it is none of these. */
function applicationContainers(containers: readonly ContainerSpec[] = [], proxy: PodProxy): readonly ContainerSpec[] {
  return proxy === "sidecar" ? containers.filter(({ name }) => name !== PROXY_CONTAINER) : containers;
}

/** A pod with a proxy that Scrim gave it. */
export interface ProxiedPod extends PodFacts {
  readonly proxy: "sidecar" | "router";
}

/** Returns the pods to which Scrim gave a proxy (not another injector), in the World's order. */
export function proxiedPods(world: World): readonly ProxiedPod[] {
  return world
    .list("Pod")
    .filter(({ metadata }) => givenProxy(metadata.annotations) !== undefined)
    .map((pod) => podFactsOf(pod) as ProxiedPod);
}

/** Returns the service account of a pod, from its spec or its template's. */
export function serviceAccountOf(
  spec: { readonly serviceAccountName?: string; readonly serviceAccount?: string } | undefined,
): string {
  return spec?.serviceAccountName || spec?.serviceAccount || "default";
}

/** A pod of a Deployment is called <deployment>-<hash>-<id>; anything else is its own workload. */
function workloadName(name: string, labels: Labels): string {
  const hash = labels["pod-template-hash"];
  const at = hash === undefined ? -1 : name.lastIndexOf(`-${hash}-`);
  return at > 0 ? name.slice(0, at) : name;
}
