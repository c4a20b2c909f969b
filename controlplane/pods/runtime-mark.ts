// The object beside the pods that `scrim up` describes which tells how far the control plane has read.
import type { World } from "../world/world.ts";

const MARK = { namespace: "istio-system", name: "scrim-runtime" } as const;

/** Returns the ConfigMap that says: these pods are as they were at this revision. */
export function runtimeMark(revision: number): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: MARK, data: { revision: String(revision) } };
}

/** Returns the revision of the pods that this World was made from; 0 where nobody said. */
export function runtimeRevision(world: World): number {
  return Number(world.get("ConfigMap", MARK.namespace, MARK.name)?.spec.data?.["revision"] ?? 0) || 0;
}
