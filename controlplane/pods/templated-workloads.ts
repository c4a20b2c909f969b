// What runs pods that are made by a template.
import type { Labels } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { derived, sameItems } from "../world/derive.ts";
import { labelIndex } from "../world/label-index.ts";
import type { World } from "../world/world.ts";

const KINDS = ["Deployment", "StatefulSet", "DaemonSet", "Job"] as const;

/** An object with a template of pods. */
export type TemplatedWorkload = { [K in (typeof KINDS)[number]]: MeshObject<K> }[(typeof KINDS)[number]];

/** Returns every object with a template of pods: Deployments first, each kind in the World's order. */
export const templatedWorkloads = derived(
  (world: World): readonly TemplatedWorkload[] =>
    KINDS.flatMap((kind): readonly TemplatedWorkload[] => world.list(kind)),
  { same: sameItems },
);

const templateLabels = ({ spec }: TemplatedWorkload): Labels => spec.template.metadata?.labels ?? {};
const indices: readonly ((world: World, namespace: string, selector: Labels) => readonly TemplatedWorkload[])[] = [
  labelIndex("Deployment", templateLabels),
  labelIndex("StatefulSet", templateLabels),
  labelIndex("DaemonSet", templateLabels),
  labelIndex("Job", templateLabels),
];

/** Returns those of a namespace whose pods a selector (not an empty one) matches, of each kind oldest first. */
export function workloadsWith(world: World, namespace: string, selector: Labels): readonly TemplatedWorkload[] {
  return indices.flatMap((find) => find(world, namespace, selector));
}

/** Returns how many pods one asks for. */
export function podCountOf(workload: TemplatedWorkload): number {
  if (workload.kind !== "Job") return workload.spec.replicas ?? 1;
  return workload.spec.completions ?? workload.spec.parallelism ?? 1;
}

/** Returns the one of this name; of several, the Deployment. */
export function workloadNamed(world: World, namespace: string, name: string): TemplatedWorkload | undefined {
  return KINDS.map((kind): TemplatedWorkload | undefined => world.get(kind, namespace, name)).find(
    (found) => found !== undefined,
  );
}
