// Pods as addresses behind a service.
import { compareText, type MeshObject } from "../../model/object.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { labelIndex, objectsIn } from "../../world/label-index.ts";
import { resolveMtlsMode } from "./peer-authentication.ts";
import type { Backend } from "./mesh-service.ts";
import { localityOf } from "../../pods/locality.ts";
import { type PodFacts, podFactsOf } from "../../pods/pod-facts.ts";

/** Returns the pods of a namespace that a selector (not an empty one) matches, oldest first. */
export const podsWith = labelIndex("Pod", ({ metadata }) => metadata.labels);

const podsByAddress = derived((world: World, namespace: string): ReadonlyMap<string, MeshObject<"Pod">> => {
  const byAddress = new Map<string, MeshObject<"Pod">>();
  for (const pod of objectsIn(world, "Pod", namespace)) {
    const { ip } = podFactsOf(pod);
    if (ip !== "" && !byAddress.has(ip)) byAddress.set(ip, pod);
  }
  return byAddress;
});

/** Returns the pod of a namespace that has this address. */
export const podAt = derived((world: World, namespace: string, address: string): MeshObject<"Pod"> | undefined =>
  podsByAddress(world, namespace).get(address),
);

/**
 * Returns the container port a Service's targetPort means in this pod; undefined if it is a name the pod does not have.
 */
export function portOfPod(pod: PodFacts, targetPort: number | string): number | undefined {
  if (typeof targetPort === "number") return targetPort;
  const named = pod.containerPorts.find((port) => port.name === targetPort)?.port;
  // Kubernetes' IntOrString may carry a number as text.
  return named ?? (/^\d+$/.test(targetPort) ? Number(targetPort) : undefined);
}

/** Returns whether a pod is there to be sent something, ready or not. */
export function isReachable({ terminating, finished, ip }: PodFacts): boolean {
  return !terminating && !finished && ip !== "";
}

/** Returns whether it is to be sent something. */
export function takesTraffic(pod: PodFacts): boolean {
  return pod.ready && isReachable(pod);
}

const ANY_ADDRESS = "0.0.0.0";

/** Returns the pod's port as others reach it: where its sidecar listens for it, else at the pod's own address. */
export function podBackend(world: World, pod: PodFacts, port: number): Backend {
  const bind = pod.listens.find((listen) => listen.port === port)?.bind ?? { address: pod.ip, port };
  const locality = localityOf(pod.labels);
  const speaksMeshTls = pod.proxy === "sidecar" && resolveMtlsMode(world, pod, port) !== "DISABLE";
  return {
    labels: pod.labels,
    endpoint: {
      // Of what listens on all of a pod's addresses others know the one.
      address: bind.address === ANY_ADDRESS ? pod.ip : bind.address,
      port: bind.port,
      weight: 1,
      meshTls: speaksMeshTls,
      healthy: true,
      ...(locality !== "" && { locality }),
      workload: pod.ref,
    },
  };
}

/** Returns backends by address and port, each once. */
export function sortBackends(backends: readonly Backend[]): readonly Backend[] {
  const byAddress = new Map<string, Backend>();
  for (const backend of backends) {
    const key = `${backend.endpoint.address} ${backend.endpoint.port}`;
    if (!byAddress.has(key)) byAddress.set(key, backend);
  }
  return [...byAddress].sort(([a], [b]) => compareText(a, b)).map(([, backend]) => backend);
}
