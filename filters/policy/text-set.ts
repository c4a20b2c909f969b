// consumes: texts that must match exactly
// produces: whether a value is one of them, in time that does not depend on how many there are
// never does: allocate while looking up
import { addressOf, equals, equalsFolded, foldAscii, lengthOf, Span, utf8, viewOf } from "./bytes";

/** The start value of `textHash`. */
export const TEXT_HASH: u64 = 0xcbf29ce484222325;
const PRIME: u64 = 0x100000001b3;

/** Returns the hash of one more byte (FNV-1a): the hash of a prefix is a step on the way to that of the whole. */
// @ts-ignore: decorator
@inline
export function hashByte(state: u64, byte: u8): u64 {
  return (state ^ u64(byte)) * PRIME;
}

/**
 * Returns the hash of a value, ASCII letters without case if `folded`. Not secret: a client may look for collisions.
 */
export function textHash(value: Span, state: u64, folded: bool): u64 {
  const at = addressOf(value);
  const length = lengthOf(value);
  if (folded) for (let i = 0; i < length; i++) state = hashByte(state, foldAscii(load<u8>(at + i)));
  else for (let i = 0; i < length; i++) state = hashByte(state, load<u8>(at + i));
  return state;
}

/** A set of texts. */
export class TextSet {
  private readonly texts: StaticArray<u8>[] = [];
  /** Index into `texts` plus one; 0 is a free place. */
  private readonly places: StaticArray<i32>;
  private longest: i32 = 0;

  /** @param folded ASCII letters compare without case */
  constructor(
    texts: string[],
    private readonly folded: bool,
  ) {
    let size = 16;
    while (size < texts.length * 2) size *= 2;
    this.places = new StaticArray<i32>(size);
    for (let i = 0; i < texts.length; i++) this.add(utf8(texts[i]));
  }

  /** Returns whether the value is one of the texts; an absent one is not. */
  has(value: Span): bool {
    return lengthOf(value) <= this.longest && value != 0 && unchecked(this.places[this.placeOf(value)]) != 0;
  }

  private add(text: StaticArray<u8>): void {
    const place = this.placeOf(viewOf(text));
    if (this.places[place] != 0) return;
    this.texts.push(text);
    this.places[place] = this.texts.length;
    this.longest = max(this.longest, text.length);
  }

  private placeOf(value: Span): i32 {
    const mask = this.places.length - 1;
    let place = i32(mix(textHash(value, TEXT_HASH, this.folded))) & mask;
    while (true) {
      const index = unchecked(this.places[place]) - 1;
      if (index < 0) return place;
      const text = viewOf(unchecked(this.texts[index]));
      if (this.folded ? equalsFolded(text, value) : equals(text, value)) return place;
      place = (place + 1) & mask;
    }
  }
}

/** Returns a hash whose low bits depend on all of it. */
// @ts-ignore: decorator
@inline
export function mix(hash: u64): u64 {
  return hash ^ (hash >> 32) ^ (hash >> 17);
}
