// Equal content as one object, from one state of the mesh to the next and from one proxy to another, so that what is
// made from it is made once. Take it where equal things are made in several places and must be found equal cheaply
// afterwards (messages that are encoded, maps of them); it costs looking at the whole content of each new object once.
// Content that nobody holds any more is forgotten.
import { inSlice } from "../model/time-slice.ts";
import { sameEntries } from "./derive.ts";
import { numberOf } from "./stamp.ts";

/**
 * Returns `make` with its results shared. `contentOf` gives all of an input that the result depends on, as plain data;
 * `context` is the rest.
 */
export function interned<I extends object, R extends object>(
  contentOf: (input: I) => unknown,
  make: (input: I, context: string) => R,
): (input: I, context?: string) => R {
  const byContent = new Map<string, WeakRef<R>>();
  const byInput = new WeakMap<I, Map<string, R>>();
  const forgotten = new FinalizationRegistry<string>((key) => {
    if (byContent.get(key)?.deref() === undefined) byContent.delete(key);
  });
  const find = (input: I, context: string): R => {
    const key = `${context} ${JSON.stringify(contentOf(input))}`;
    const known = byContent.get(key)?.deref();
    if (known !== undefined) return known;
    const made = make(input, context);
    byContent.set(key, new WeakRef(made));
    forgotten.register(made, key);
    return made;
  };
  return (input, context = "") => {
    let ofInput = byInput.get(input);
    if (ofInput === undefined) byInput.set(input, (ofInput = new Map()));
    let result = ofInput.get(context);
    if (result === undefined) ofInput.set(context, (result = inSlice(() => find(input, context))));
    return result;
  };
}

/** Returns a function that gives the one list for all lists of the same items. */
export function internedLists<T extends object>(): (list: readonly T[]) => readonly T[] {
  return interned(
    (list: readonly T[]) => list.map(numberOf),
    (list) => list,
  );
}

/**
 * Returns a function that gives the one map for all maps with the same values under the same keys. Maps of earlier
 * states are let go of with their last user: a plugin's module stands in them, which may have megabytes.
 */
export function internedMaps<V extends object>(): (map: ReadonlyMap<string, V>) => ReadonlyMap<string, V> {
  const used = new Map<number, WeakRef<ReadonlyMap<string, V>>>();
  const forgotten = new FinalizationRegistry<number>((mark) => {
    if (used.get(mark)?.deref() === undefined) used.delete(mark);
  });
  return (map) => {
    const mark = markOf(map);
    const known = used.get(mark)?.deref();
    if (known !== undefined && sameEntries(known, map)) return known;
    used.set(mark, new WeakRef(map));
    forgotten.register(map, mark);
    return map;
  };
}

/** Equal for equal maps, and hardly ever for others. */
function markOf(map: ReadonlyMap<string, object>): number {
  let mark = map.size;
  for (const value of map.values()) mark = (Math.imul(mark, 31) + numberOf(value)) | 0;
  return mark;
}
