// Which policies select a workload: the rule that every policy kind of the mesh shares.
import type { Kind } from "../../model/kinds.ts";
import { labelsMatch, type Labels } from "../../model/labels.ts";
import { compareByAge, type MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { objectsIn } from "../../world/label-index.ts";
import { labelsKey } from "../../world/labels-key.ts";

/** The kinds whose spec has an optional `selector.matchLabels`. */
export type SelectingKind =
  | "AuthorizationPolicy"
  | "WasmPlugin"
  | "RateLimitPolicy"
  | "PeerAuthentication"
  | "Telemetry";

/** What of a proxy a selector looks at. */
export type SelectedProxy = Pick<ProxyClass, "namespace" | "labels">;

/**
 * Returns the objects of `kind` that select the proxy, oldest first: those of its own namespace and those of the root
 * namespace whose selector (or none) matches its labels
 * (https://istio.io/latest/docs/reference/config/type/workload-selector/).
 */
export function selectPolicies<K extends SelectingKind & Kind>(
  world: World,
  kind: K,
  { namespace, labels }: SelectedProxy,
): readonly MeshObject<K>[] {
  return selected(world, kind, namespace, labels) as readonly MeshObject<SelectingKind>[] as readonly MeshObject<K>[];
}

const selected = derived(
  (world: World, kind: SelectingKind, namespace: string, labels: Labels): readonly MeshObject<SelectingKind>[] => {
    const { rootNamespace } = world.mesh;
    const own = objectsIn(world, kind, namespace);
    const inReach: readonly MeshObject<SelectingKind>[] =
      namespace === rootNamespace ? own : [...own, ...objectsIn(world, kind, rootNamespace)].sort(compareByAge);
    return inReach.filter((object) => labelsMatch(selectorOf(object), labels));
  },
  { keyOf: (kind, namespace, labels) => `${kind} ${namespace} ${labelsKey(labels)}`, same: sameItems },
);

/** Returns the labels that an object's selector asks for; undefined selects every workload in reach. */
export function selectorOf(object: MeshObject<SelectingKind>): Labels | undefined {
  return object.spec.selector?.matchLabels;
}
