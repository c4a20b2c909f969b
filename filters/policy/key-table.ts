// How many rules stand under each key, and which.
//
//   keys:   open addressing, 0 is free        ┌ k1 ┬ 0 ┬ k2 ┐
//   values: of the key in the same place      └ 3  ┴   ┴ 1  ┘
import { mix } from "./text-set";

/** A map from keys to numbers. */
export class KeyTable {
  private keys: StaticArray<u64> = new StaticArray<u64>(64);
  private values: StaticArray<i32> = new StaticArray<i32>(64);
  private used: i32 = 0;

  /** Returns the value of a key, 0 when it has none. */
  get(key: u64): i32 {
    return unchecked(this.values[this.placeOf(key)]);
  }

  /** Sets the value of a key. Configuration time only. */
  set(key: u64, value: i32): void {
    let place = this.placeOf(key);
    if (unchecked(this.keys[place]) == 0) {
      if (++this.used * 2 > this.keys.length) {
        this.enlarge();
        place = this.placeOf(key);
      }
      unchecked((this.keys[place] = key == 0 ? 1 : key));
    }
    unchecked((this.values[place] = value));
  }

  private placeOf(key: u64): i32 {
    const mask = this.keys.length - 1;
    const wanted = key == 0 ? 1 : key;
    let place = i32(mix(wanted)) & mask;
    while (true) {
      const found = unchecked(this.keys[place]);
      if (found == 0 || found == wanted) return place;
      place = (place + 1) & mask;
    }
  }

  private enlarge(): void {
    const keys = this.keys;
    const values = this.values;
    this.keys = new StaticArray<u64>(keys.length * 2);
    this.values = new StaticArray<i32>(keys.length * 2);
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] == 0) continue;
      const place = this.placeOf(keys[i]);
      this.keys[place] = keys[i];
      this.values[place] = values[i];
    }
  }
}
