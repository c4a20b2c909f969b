import { Bytes } from "./bytes";
import { Region } from "./region";

// Open addressing with linear probing over three parallel arrays; the keys' bytes lie in a Region of the map's own.

/**
 * A map from byte strings to 64-bit numbers, made for lookups on the request path: looking up allocates nothing. It
 * holds at most `capacity` keys; when it is full `set` answers false and the caller decides (`clear()` forgets
 * everything).
 */
// @ts-ignore: decorator
@final
export class BytesMap {
  private hashes: StaticArray<u64>;
  private keys: StaticArray<usize>;
  private values: StaticArray<u64>;
  private mask: i32;
  private used: i32 = 0;
  private region: Region = new Region();

  constructor(readonly capacity: i32) {
    let size = 16;
    while (size < capacity * 2 && size < 1 << 26) size *= 2;
    this.mask = size - 1;
    this.hashes = new StaticArray<u64>(size);
    this.keys = new StaticArray<usize>(size);
    this.values = new StaticArray<u64>(size);
  }

  /** Number of keys. */
  get size(): i32 {
    return this.used;
  }

  /** Whether there is a value for `key`. */
  has(key: Bytes): bool {
    return unchecked(this.keys[this.find(key, key.hash())]) != 0;
  }

  /** The value of `key`, `otherwise` if there is none. */
  get(key: Bytes, otherwise: u64 = 0): u64 {
    const at = this.find(key, key.hash());
    return unchecked(this.keys[at]) != 0 ? unchecked(this.values[at]) : otherwise;
  }

  /** Sets the value of `key` (a new key is copied). False if the map is full. */
  set(key: Bytes, value: u64): bool {
    const hash = key.hash();
    const at = this.find(key, hash);
    if (unchecked(this.keys[at]) == 0) {
      if (this.used >= this.capacity || this.used >= this.mask) return false;
      this.used++;
      unchecked((this.hashes[at] = hash));
      unchecked((this.keys[at] = changetype<usize>(this.region.keep(key))));
    }
    unchecked((this.values[at] = value));
    return true;
  }

  /** Forgets every key and gives their memory back. */
  clear(): void {
    memory.fill(changetype<usize>(this.keys), 0, (<usize>this.mask + 1) * sizeof<usize>());
    this.region.free();
    this.used = 0;
  }

  private find(key: Bytes, hash: u64): i32 {
    let at = <i32>hash & this.mask;
    while (!this.isHere(at, key, hash)) at = (at + 1) & this.mask;
    return at;
  }

  /** Whether the place is free or holds `key`. */
  private isHere(at: i32, key: Bytes, hash: u64): bool {
    const found = unchecked(this.keys[at]);
    return found == 0 || (unchecked(this.hashes[at]) == hash && changetype<Bytes>(found).equals(key));
  }
}
