// Objects found by the labels that a selector asks for, without looking at all of them.
import { type Labels, labelsMatch } from "../model/labels.ts";
import type { Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { derived, sameItems } from "./derive.ts";
import type { World } from "./world.ts";

/** Returns the objects of a kind in each namespace, oldest first. */
export const objectsByNamespace = derived(
  (world: World, kind: Kind): ReadonlyMap<string, readonly MeshObject[]> =>
    grouped(world.list(kind), ({ metadata }) => [metadata.namespace]),
);

const inNamespace = derived(
  (world: World, kind: Kind, namespace: string): readonly MeshObject[] =>
    objectsByNamespace(world, kind).get(namespace) ?? [],
  { same: sameItems },
);

/** Returns the objects of a kind in a namespace, oldest first; the same array while none of them changed. */
export function objectsIn<K extends Kind>(world: World, kind: K, namespace: string): readonly MeshObject<K>[] {
  return inNamespace(world, kind, namespace) as readonly MeshObject<K>[];
}

/**
 * Returns a function that finds the objects of a kind in a namespace whose labels, as `labelsOf` says, a selector (not
 * an empty one) matches, oldest first. What is found depends only on objects that have the selector's first label.
 */
export function labelIndex<K extends Kind>(
  kind: K,
  labelsOf: (object: MeshObject<K>) => Labels,
): (world: World, namespace: string, selector: Labels) => readonly MeshObject<K>[] {
  const byPair = derived((world: World, namespace: string) =>
    grouped(objectsIn(world, kind, namespace), (object) => Object.entries(labelsOf(object)).map(pairOf)),
  );
  const withPair = derived(
    (world: World, namespace: string, pair: string): readonly MeshObject<K>[] =>
      byPair(world, namespace).get(pair) ?? [],
    { same: sameItems },
  );
  return (world, namespace, selector) => {
    const [first] = Object.entries(selector);
    if (first === undefined) throw new RangeError("an empty selector selects everything");
    return withPair(world, namespace, pairOf(first)).filter((object) => labelsMatch(selector, labelsOf(object)));
  };
}

/**
 * Returns a function that finds the objects of a kind in a namespace whose selector, as `selectorOf` says, matches some
 * labels, oldest first. Objects without a selector are not found.
 */
export function selectorIndex<K extends Kind>(
  kind: K,
  selectorOf: (object: MeshObject<K>) => Labels | undefined,
): (world: World, namespace: string, labels: Labels) => readonly MeshObject<K>[] {
  const byPair = derived((world: World, namespace: string) =>
    grouped([...objectsIn(world, kind, namespace).entries()], ([, object]) =>
      Object.entries(selectorOf(object) ?? {})
        .slice(0, 1)
        .map(pairOf),
    ),
  );
  const withPair = derived(
    (world: World, namespace: string, pair: string) => byPair(world, namespace).get(pair) ?? [],
    { same: samePlaces },
  );
  return (world, namespace, labels) =>
    Object.entries(labels)
      .flatMap((pair) => withPair(world, namespace, pairOf(pair)))
      .filter(([, object]) => labelsMatch(selectorOf(object), labels))
      .sort(([a], [b]) => a - b)
      .map(([, object]) => object);
}

type Placed<K extends Kind> = readonly [place: number, object: MeshObject<K>];

function samePlaces<K extends Kind>(before: readonly Placed<K>[], after: readonly Placed<K>[]): boolean {
  return (
    before.length === after.length &&
    before.every(([place, object], index) => place === after[index]?.[0] && object === after[index][1])
  );
}

function pairOf([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}

function grouped<T>(items: readonly T[], keysOf: (item: T) => readonly string[]): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
  }
  return groups;
}
