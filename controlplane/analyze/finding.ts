// What an analysis says, and how it is asked of every object of a kind without doing all of it again after a change.
import type { FieldPath } from "../model/document.ts";
import type { Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { derived, sameItems } from "../world/derive.ts";
import type { World } from "../world/world.ts";

/** Something wrong with an object, without its place: objects move while they stay the same. */
export interface Finding {
  readonly object: MeshObject;
  readonly path: FieldPath;
  readonly message: string;
  /**
   * What is missing, as beginnings of object keys: `Gateway/default/gw`, `ServiceEntry/`. While such an object is
   * refused that is the cause, and this only follows from it.
   */
  readonly lacks?: readonly string[];
}

/** What is wrong in one place of an object. */
export type Flaw = Pick<Finding, "path" | "message" | "lacks">;

/**
 * Returns an analysis of each object of a kind by itself, oldest first: after a change only those are looked at again
 * that are new, or that read what changed.
 */
export function analysisOf<K extends Kind>(
  kind: K,
  faultsOf: (world: World, object: MeshObject<K>) => readonly Flaw[],
): (world: World) => readonly Finding[] {
  const ofOne = derived(
    (world: World, namespace: string, name: string): readonly Finding[] => {
      const object = world.get(kind, namespace, name);
      if (object === undefined) return [];
      return faultsOf(world, object).map((fault) => ({ ...fault, object: object as MeshObject<Kind> }));
    },
    { same: sameItems },
  );
  return derived(
    (world) => world.list(kind).flatMap(({ metadata }) => ofOne(world, metadata.namespace, metadata.name)),
    { same: sameItems },
  );
}
