// Which policies select a workload: the rule that every policy kind of the mesh shares.
import type { Kind } from "../../model/kinds.ts";
import { labelsMatch, type Labels } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../store/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";

/** The kinds whose spec has an optional `selector.matchLabels`. */
export type SelectingKind = "AuthorizationPolicy" | "WasmPlugin" | "RateLimitPolicy" | "PeerAuthentication";

/** What of a proxy a selector looks at. */
export type SelectedProxy = Pick<ProxyClass, "namespace" | "labels">;

/**
 * Returns the objects of `kind` that select the proxy, oldest first: those of its own namespace and those of the root namespace whose selector
 * (or none) matches its labels (https://istio.io/latest/docs/reference/config/type/workload-selector/).
 */
export function selectPolicies<K extends SelectingKind & Kind>(world: World, kind: K, proxy: SelectedProxy): readonly MeshObject<K>[] {
  return world.list(kind).filter((object) => {
    const { namespace } = object.metadata;
    return (namespace === proxy.namespace || namespace === world.mesh.rootNamespace) && labelsMatch(selectorOf(object), proxy.labels);
  });
}

/** Returns the labels that an object's selector asks for; undefined selects every workload in reach. */
export function selectorOf(object: MeshObject<SelectingKind>): Labels | undefined {
  return object.spec.selector?.matchLabels;
}
