// Two maps as one: what many proxies share, and the little that is one proxy's own. Nothing of the large one is copied.

/**
 * A map in which `own` stands over `shared`. Both must be in the order of their keys (by code unit), and so is the
 * whole; neither may change. Of a pair there is one map only, so that equal layers are the same object.
 */
export interface LayeredMap<V> extends ReadonlyMap<string, V> {
  readonly shared: ReadonlyMap<string, V>;
  readonly own: ReadonlyMap<string, V>;
}

const known = new WeakMap<object, WeakMap<object, unknown>>();

/** Returns the two as one map. */
export function layered<V>(shared: ReadonlyMap<string, V>, own: ReadonlyMap<string, V>): LayeredMap<V> {
  let over = known.get(shared);
  if (over === undefined) known.set(shared, (over = new WeakMap()));
  let map = over.get(own);
  if (map === undefined) over.set(own, (map = new Layered(shared, own)));
  // What stands under the pair was made from the pair.
  return map as LayeredMap<V>;
}

/** Returns the two layers of a map that was made of two; undefined for any other. */
export function layersOf<V>(map: ReadonlyMap<string, V>): LayeredMap<V> | undefined {
  return map instanceof Layered ? map : undefined;
}

class Layered<V> implements LayeredMap<V> {
  readonly size: number;

  constructor(
    readonly shared: ReadonlyMap<string, V>,
    readonly own: ReadonlyMap<string, V>,
  ) {
    this.size = shared.size + [...own.keys()].filter((key) => !shared.has(key)).length;
  }
  get(key: string): V | undefined {
    return this.own.has(key) ? this.own.get(key) : this.shared.get(key);
  }
  has(key: string): boolean {
    return this.own.has(key) || this.shared.has(key);
  }
  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) callback(value, key, this);
  }
  *entries(): MapIterator<[string, V]> {
    const own = [...this.own];
    let at = 0;
    for (const entry of this.shared) {
      while (at < own.length && own[at]![0] < entry[0]) yield own[at++]!;
      if (at < own.length && own[at]![0] === entry[0]) yield own[at++]!;
      else yield entry;
    }
    yield* own.slice(at);
  }
  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }
  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }
}
