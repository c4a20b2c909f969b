// consumes: blocks of addresses
// produces: whether an address lies in one of them, in time that depends on how many lengths their prefixes have, not
// on how many there are
// never does: allocate while looking up
import { Cidr, IpAddress } from "./cidr";
import { mix } from "./text-set";

/** Longest prefix, in the 128 bits of `IpAddress`. */
const LONGEST = 128;

/** A set of blocks. */
export class CidrSet {
  /** Index into `blocks` plus one; 0 is a free place. */
  private readonly places: StaticArray<i32>;
  private readonly lengths: StaticArray<bool> = new StaticArray<bool>(LONGEST + 1);

  constructor(private readonly blocks: Cidr[]) {
    let size = 16;
    while (size < blocks.length * 2) size *= 2;
    this.places = new StaticArray<i32>(size);
    for (let i = 0; i < blocks.length; i++) {
      const block = blocks[i];
      this.lengths[block.prefix] = true;
      const place = this.placeOf(block.prefix, block.high, block.low);
      if (this.places[place] == 0) this.places[place] = i + 1;
    }
  }

  /** Returns whether the address lies in one of the blocks; an address that is not valid lies in none. */
  contains(address: IpAddress): bool {
    if (!address.valid) return false;
    for (let prefix = 0; prefix <= LONGEST; prefix++) {
      if (!unchecked(this.lengths[prefix])) continue;
      const high = prefix >= 64 ? address.high : prefix == 0 ? 0 : address.high & (u64.MAX_VALUE << (64 - prefix));
      const low =
        prefix <= 64 ? 0 : prefix == LONGEST ? address.low : address.low & (u64.MAX_VALUE << (LONGEST - prefix));
      if (unchecked(this.places[this.placeOf(prefix, high, low)]) != 0) return true;
    }
    return false;
  }

  private placeOf(prefix: i32, high: u64, low: u64): i32 {
    const mask = this.places.length - 1;
    const hash =
      ((((u64(prefix) + 1) * 0x9e3779b97f4a7c15) ^ rotl(high, 17)) * 0xc2b2ae3d27d4eb4f) ^ (low * 0x9e3779b185ebca87);
    let place = i32(mix(hash)) & mask;
    while (true) {
      const index = unchecked(this.places[place]) - 1;
      if (index < 0) return place;
      const block = unchecked(this.blocks[index]);
      if (block.prefix == prefix && block.high == high && block.low == low) return place;
      place = (place + 1) & mask;
    }
  }
}
