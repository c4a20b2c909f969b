// Which ports a workload serves.
import type { ContainerSpec } from "../model/kinds/pod.ts";
import type { Labels } from "../model/labels.ts";
import { selectorIndex } from "../world/label-index.ts";
import type { World } from "../world/world.ts";

/** A port that a workload serves, as its peers know it; the name is "" where it has none. */
export interface ServedPort {
  readonly port: number;
  readonly name: string;
}

/** Returns the Services of a namespace whose selector (not an empty one) matches a workload's labels, oldest first. */
export const servicesSelecting = selectorIndex("Service", ({ spec }) => spec.selector);

/** Returns the TCP ports that containers declare, in their order. */
export function declaredPorts(containers: readonly ContainerSpec[] = []): readonly ServedPort[] {
  return containers
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ protocol }) => (protocol ?? "TCP") === "TCP")
    .map(({ containerPort, name }) => ({ port: containerPort, name: name ?? "" }));
}

/**
 * Returns the declared ports, then those to which the Services lead that select the workload, the oldest Service's
 * first; each number once. Named target ports need a pod to say what they mean, and are left out.
 */
export function servedPorts(
  world: World,
  namespace: string,
  labels: Labels,
  declared: readonly ServedPort[] = [],
): readonly ServedPort[] {
  const targets = servicesSelecting(world, namespace, labels)
    .flatMap(({ spec }) => spec.ports ?? [])
    // Kubernetes' IntOrString may carry a number as text.
    .map(({ targetPort, port, name }) => ({ port: Number(targetPort ?? port), name: name ?? "" }))
    .filter(({ port }) => Number.isInteger(port));
  return eachOnce([...declared, ...targets]);
}

/** Returns the ports with the first of each number only. */
export function eachOnce<P extends ServedPort>(ports: readonly P[]): readonly P[] {
  const numbers = new Set<number>();
  return ports.filter(({ port }) => !numbers.has(port) && numbers.add(port));
}

/** Orders ports by number. */
export function byNumber(a: ServedPort, b: ServedPort): number {
  return a.port - b.port;
}
