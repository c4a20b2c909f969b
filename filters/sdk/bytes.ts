import { allocate } from "./abi/arena";

/**
 * A view on bytes in memory: 8 bytes (pointer, length), no copy, no garbage. Valid until the callback ends unless it
 * came from `literal`, a `Region` or a configuration's `keep`. Every method is total: any bytes, any length, nothing
 * traps.
 */
// @ts-ignore: decorator
@unmanaged
@final
export class Bytes {
  /** Address of the first byte. */
  ptr: usize;
  /** Number of bytes. */
  length: i32;

  /** A view on `length` bytes at `ptr`; the view itself lives until the callback ends. */
  // @ts-ignore: decorator
  @inline
  static view(ptr: usize, length: i32): Bytes {
    return Bytes.place(allocate(8), ptr, length);
  }

  /** Writes a view into the 8 bytes at `at`. */
  // @ts-ignore: decorator
  @inline
  static place(at: usize, ptr: usize, length: i32): Bytes {
    const view = changetype<Bytes>(at);
    view.ptr = ptr;
    view.length = length;
    return view;
  }

  /** `text` in UTF-8, valid until the callback ends. For constants use `literal`. */
  static of(text: string): Bytes {
    const length = String.UTF8.byteLength(text);
    const at = allocate(8 + length);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at + 8);
    return Bytes.place(at, at + 8, length);
  }

  /** A decimal number as bytes, valid until the callback ends. */
  static ofInteger(value: i64): Bytes {
    const at = allocate(8 + 24);
    const end = at + 32;
    let p = end;
    let rest: u64 = value < 0 ? 0 - <u64>value : <u64>value;
    do {
      store<u8>(--p, 0x30 + <u8>(rest % 10));
      rest /= 10;
    } while (rest != 0);
    if (value < 0) store<u8>(--p, 0x2d);
    return Bytes.place(at, p, <i32>(end - p));
  }

  /** The byte at `index`, 0 outside. */
  // @ts-ignore: decorator
  @inline
  at(index: i32): u8 {
    return <u32>index < <u32>this.length ? load<u8>(this.ptr + index) : 0;
  }

  /** Whether there is no byte. */
  // @ts-ignore: decorator
  @inline
  get isEmpty(): bool {
    return this.length == 0;
  }

  /** Whether both hold the same bytes. */
  equals(other: Bytes): bool {
    return this.length == other.length && memory.compare(this.ptr, other.ptr, this.length) == 0;
  }

  /** Whether both hold the same bytes, ASCII letters compared without case. */
  equalsIgnoreCase(other: Bytes): bool {
    const n = this.length;
    if (n != other.length) return false;
    return sameIgnoringCase(this.ptr, other.ptr, n);
  }

  /** Whether the first bytes are these; every value starts with no bytes. */
  startsWith(prefix: Bytes): bool {
    const n = prefix.length;
    return this.length >= n && memory.compare(this.ptr, prefix.ptr, n) == 0;
  }

  /** As `startsWith`, ASCII letters compared without case. */
  startsWithIgnoreCase(prefix: Bytes): bool {
    const n = prefix.length;
    return this.length >= n && sameIgnoringCase(this.ptr, prefix.ptr, n);
  }

  /** Whether the last bytes are these. */
  endsWith(suffix: Bytes): bool {
    const n = suffix.length;
    return this.length >= n && memory.compare(this.ptr + this.length - n, suffix.ptr, n) == 0;
  }

  /** The order of the two byte strings: negative, 0, positive. */
  compare(other: Bytes): i32 {
    const order = memory.compare(this.ptr, other.ptr, min(this.length, other.length));
    return order != 0 ? order : this.length - other.length;
  }

  /** Index of the first `byte` at or after `from`, -1 if none. */
  indexOf(byte: u8, from: i32 = 0): i32 {
    const n = this.length;
    for (let i = max(from, 0); i < n; i++) if (load<u8>(this.ptr + i) == byte) return i;
    return -1;
  }

  /** Index of the last `byte`, -1 if none. */
  lastIndexOf(byte: u8): i32 {
    for (let i = this.length - 1; i >= 0; i--) if (load<u8>(this.ptr + i) == byte) return i;
    return -1;
  }

  /** Index of the first occurrence of `needle` at or after `from`, -1 if none. */
  indexOfBytes(needle: Bytes, from: i32 = 0): i32 {
    const last = this.length - needle.length;
    for (let i = max(from, 0); i <= last; i++)
      if (memory.compare(this.ptr + i, needle.ptr, needle.length) == 0) return i;
    return -1;
  }

  /** A view on the bytes from `start` up to `end` (clamped to what there is). */
  slice(start: i32, end: i32 = i32.MAX_VALUE): Bytes {
    const from = min(max(start, 0), this.length);
    return Bytes.view(this.ptr + from, max(min(end, this.length) - from, 0));
  }

  /** A view without spaces and tabs at both ends. */
  trim(): Bytes {
    let from = 0,
      to = this.length;
    while (from < to && isBlank(load<u8>(this.ptr + from))) from++;
    while (to > from && isBlank(load<u8>(this.ptr + to - 1))) to--;
    return Bytes.view(this.ptr + from, to - from);
  }

  /** A hash of the bytes (FNV-1a with a final mix), the same in every VM. */
  hash(seed: u64 = 0xcbf29ce484222325): u64 {
    let h = seed;
    let p = this.ptr;
    const end = p + this.length;
    while (p + 8 <= end) {
      h = (h ^ load<u64>(p)) * 0x9e3779b97f4a7c15;
      h ^= h >> 32;
      p += 8;
    }
    while (p < end) h = (h ^ <u64>load<u8>(p++)) * 0x100000001b3;
    h = (h ^ (h >> 33) ^ <u64>this.length) * 0xff51afd7ed558ccd;
    return h ^ (h >> 33);
  }

  /** The decimal number the bytes spell, or `otherwise` if they are not one (optional "-", digits, within i64). */
  toInteger(otherwise: i64): i64 {
    let i = 0;
    const n = this.length;
    const negative = n > 1 && load<u8>(this.ptr) == 0x2d;
    if (negative) i = 1;
    if (i >= n || n - i > 18) return otherwise;
    let value: i64 = 0;
    for (; i < n; i++) {
      const digit = <i64>load<u8>(this.ptr + i) - 0x30;
      if (<u64>digit > 9) return otherwise;
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }

  /**
   * The bytes decoded as UTF-8 into a string: allocates; what is not UTF-8 becomes some other characters, nothing
   * traps.
   */
  toString(): string {
    return String.UTF8.decodeUnsafe(this.ptr, this.length);
  }
}

// @ts-ignore: decorator
@inline
function isBlank(byte: u8): bool {
  return byte == 0x20 || byte == 0x09;
}

// @ts-ignore: decorator
@inline
function lower(byte: u32): u32 {
  return byte | (u32(byte - 0x41 < 26) << 5);
}

function sameIgnoringCase(a: usize, b: usize, length: i32): bool {
  for (let i = 0; i < length; i++) if (lower(load<u8>(a + i)) != lower(load<u8>(b + i))) return false;
  return true;
}

/** No bytes. */
export const EMPTY: Bytes = Bytes.place(memory.data(8, 8), 0, 0);
