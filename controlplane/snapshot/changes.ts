// What differs between two maps of resources, found out once for all who go from one to the other.
import { layersOf } from "../translate/emit/layered-map.ts";
import type { EncodedMap } from "./encode.ts";

const known = new WeakMap<EncodedMap, WeakMap<EncodedMap, readonly string[]>>();

/**
 * Returns the names whose content differs, came or went. Of maps with a shared and an own layer only layers that are not the same object are looked
 * at, and the shared ones once for all pairs that have them.
 */
export function changesBetween(before: EncodedMap, after: EncodedMap): readonly string[] {
  if (before === after) return [];
  let from = known.get(before);
  if (from === undefined) known.set(before, from = new WeakMap());
  let names = from.get(after);
  if (names === undefined) from.set(after, names = compare(before, after));
  return names;
}

function compare(before: EncodedMap, after: EncodedMap): readonly string[] {
  const left = layersOf(before), right = layersOf(after);
  if (left === undefined || right === undefined) return compareAll(before, after);
  // A name may move from one layer to the other: what differs in a layer is looked at in the whole.
  const names = new Set([...changesBetween(left.shared, right.shared), ...changesBetween(left.own, right.own)]);
  return [...names].filter((name) => before.get(name)?.version !== after.get(name)?.version);
}

function compareAll(before: EncodedMap, after: EncodedMap): readonly string[] {
  const names: string[] = [];
  for (const [name, resource] of after) if (before.get(name)?.version !== resource.version) names.push(name);
  for (const name of before.keys()) if (!after.has(name)) names.push(name);
  return names;
}
