// Which Telemetry objects speak for a workload.
import type { TelemetryMode } from "../../model/kinds/telemetry.ts";
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../world/world.ts";
import { type SelectedProxy, selectPolicies } from "./workload-selector.ts";

/**
 * Returns what a mesh, a namespace and a workload say, in this order: the narrower comes later. Of several on one level
 * the oldest counts.
 */
export function telemetryLevels(world: World, proxy: SelectedProxy): readonly MeshObject<"Telemetry">[] {
  const levels: MeshObject<"Telemetry">[] = [];
  for (const object of selectPolicies(world, "Telemetry", proxy))
    levels[levelOf(object, world.mesh.rootNamespace)] ??= object;
  return levels.filter((object) => object !== undefined);
}

function levelOf({ metadata, spec }: MeshObject<"Telemetry">, rootNamespace: string): number {
  const selects = Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
  return (metadata.namespace === rootNamespace ? 0 : 2) + (selects ? 1 : 0);
}

/** Returns whether an entry for a mode is meant for this side of a proxy. */
export function isForSide(mode: TelemetryMode | undefined, side: "client" | "server"): boolean {
  return mode === undefined || mode === "CLIENT_AND_SERVER" || mode === (side === "client" ? "CLIENT" : "SERVER");
}
