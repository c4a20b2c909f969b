// What differs between two maps of resources, found out once for all who go from one to the other.
import { createHash } from "node:crypto";
import { layersOf } from "../world/layered-map.ts";
import type { EncodedMap } from "./encode.ts";

const known = new WeakMap<EncodedMap, WeakMap<EncodedMap, readonly string[]>>();

/**
 * Returns the names whose content differs, came or went. Of maps with a shared and an own layer only layers that are
 * not the same object are looked at, and the shared ones once for all pairs that have them.
 */
export function changesBetween(before: EncodedMap, after: EncodedMap): readonly string[] {
  if (before === after) return [];
  let from = known.get(before);
  if (from === undefined) known.set(before, (from = new WeakMap()));
  let names = from.get(after);
  if (names === undefined) from.set(after, (names = compare(before, after)));
  return names;
}

const NOTHING: EncodedMap = new Map();

function compare(before: EncodedMap, after: EncodedMap): readonly string[] {
  const right = layersOf(after);
  if (right === undefined) return compareAll(before, after);
  // A client that comes has nothing yet: all that is shared is found new to it once for all who come.
  if (before.size === 0) return [...new Set([...changesBetween(NOTHING, right.shared), ...right.own.keys()])];
  const left = layersOf(before);
  if (left === undefined) return compareAll(before, after);
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

const fingerprints = new WeakMap<EncodedMap, string>();

/**
 * Returns a version of a whole map, 12 hex digits over all names and versions; of one with layers over theirs, so that
 * the shared one is gone through once.
 */
export function fingerprintOf(map: EncodedMap): string {
  let known = fingerprints.get(map);
  if (known === undefined) {
    const layers = layersOf(map);
    const hash = createHash("sha256");
    if (layers !== undefined) hash.update(`${fingerprintOf(layers.shared)} ${fingerprintOf(layers.own)}`);
    else for (const { name, version } of map.values()) hash.update(`${name}\0${version}\0`);
    fingerprints.set(map, (known = hash.digest("hex").slice(0, 12)));
  }
  return known;
}
