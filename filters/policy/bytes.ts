// consumes: addresses and lengths of bytes that a caller owns (what Envoy handed over, or a compiled pattern)
// produces: comparisons, hashes and cuts of those bytes
// never does: allocate while a request is decided, trap, or call the host

/**
 * A view of bytes: address in the low 32 bits, length in the high 32. It owns nothing and is valid as long as its owner
 * is. `ABSENT` is "there is no value", which differs from an empty value (length 0 at a nonzero address).
 */
export type Span = u64;

/** "There is no value": a header, property or parameter that does not exist. */
export const ABSENT: Span = 0;

const EMPTY_AT: usize = memory.data(8);

/** Returns a present value without bytes. */
// @ts-ignore: decorator
@inline
export function emptySpan(): Span {
  return u64(EMPTY_AT);
}

/**
 * Returns the view of `length` bytes at `address`; a null address with length 0 is the empty value, not an absent one.
 */
// @ts-ignore: decorator
@inline
export function spanOf(address: usize, length: i32): Span {
  return (u64(u32(length)) << 32) | u64(address == 0 ? EMPTY_AT : address);
}

/** Returns the address of a view. */
// @ts-ignore: decorator
@inline
export function addressOf(span: Span): usize {
  return <usize>(span & 0xffffffff);
}

/** Returns the length of a view in bytes; 0 for an absent one. */
// @ts-ignore: decorator
@inline
export function lengthOf(span: Span): i32 {
  return <i32>(span >> 32);
}

/** Returns the part from `from` (inclusive) to `to` (exclusive), both clamped to the view. */
export function cut(span: Span, from: i32, to: i32): Span {
  const length = lengthOf(span);
  const start = min(max(from, 0), length);
  const end = min(max(to, start), length);
  return spanOf(addressOf(span) + start, end - start);
}

/** Returns the UTF-8 bytes of a string, owned by the returned array. Configuration time only: it allocates. */
export function utf8(text: string): StaticArray<u8> {
  const length = String.UTF8.byteLength(text);
  const bytes = new StaticArray<u8>(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, changetype<usize>(bytes));
  return bytes;
}

/** Returns an owned copy of a view's bytes. Allocates. */
export function copyOf(span: Span): StaticArray<u8> {
  const bytes = new StaticArray<u8>(lengthOf(span));
  memory.copy(changetype<usize>(bytes), addressOf(span), lengthOf(span));
  return bytes;
}

/** Returns the view of an owned array's bytes; valid while the array is reachable. */
// @ts-ignore: decorator
@inline
export function viewOf(bytes: StaticArray<u8>): Span {
  return spanOf(changetype<usize>(bytes), bytes.length);
}

/** Returns the text of a view, for messages. Bytes that are not UTF-8 become U+FFFD. Allocates. */
export function textOf(span: Span): string {
  return String.UTF8.decodeUnsafe(addressOf(span), lengthOf(span));
}

/** Returns `byte` with A-Z turned into a-z; every other byte is unchanged (no locale, no Unicode). */
// @ts-ignore: decorator
@inline
export function foldAscii(byte: u8): u8 {
  return u8(byte - 0x41) < 26 ? byte | 0x20 : byte;
}

/** Returns whether both views hold the same bytes. Absent equals only absent. */
export function equals(a: Span, b: Span): bool {
  if (a == ABSENT || b == ABSENT) return a == b;
  const length = lengthOf(a);
  return length == lengthOf(b) && memory.compare(addressOf(a), addressOf(b), length) == 0;
}

/** Returns whether `value` begins with `prefix`. */
export function startsWith(value: Span, prefix: Span): bool {
  const length = lengthOf(prefix);
  return (
    value != ABSENT && lengthOf(value) >= length && memory.compare(addressOf(value), addressOf(prefix), length) == 0
  );
}

/** Returns whether `value` ends with `suffix`. */
export function endsWith(value: Span, suffix: Span): bool {
  const length = lengthOf(suffix);
  const total = lengthOf(value);
  return (
    value != ABSENT &&
    total >= length &&
    memory.compare(addressOf(value) + (total - length), addressOf(suffix), length) == 0
  );
}

/** Returns whether `length` bytes at both addresses agree but for the case of ASCII letters. */
export function sameFolded(a: usize, b: usize, length: i32): bool {
  for (let i = 0; i < length; i++) {
    if (foldAscii(load<u8>(a + i)) != foldAscii(load<u8>(b + i))) return false;
  }
  return true;
}

/** Returns whether both views hold the same bytes but for the case of ASCII letters. */
export function equalsFolded(a: Span, b: Span): bool {
  if (a == ABSENT || b == ABSENT) return a == b;
  return lengthOf(a) == lengthOf(b) && sameFolded(addressOf(a), addressOf(b), lengthOf(a));
}

/** Returns the offset of the first `byte` at or after `from`, or -1. */
export function indexOf(value: Span, byte: u8, from: i32): i32 {
  const address = addressOf(value);
  const length = lengthOf(value);
  for (let i = max(from, 0); i < length; i++) {
    if (load<u8>(address + i) == byte) return i;
  }
  return -1;
}

/** Returns the view without spaces and tabs at both ends. */
export function trim(value: Span): Span {
  const address = addressOf(value);
  let start = 0;
  let end = lengthOf(value);
  while (start < end && isBlank(load<u8>(address + start))) start++;
  while (end > start && isBlank(load<u8>(address + end - 1))) end--;
  return spanOf(address + start, end - start);
}

// @ts-ignore: decorator
@inline
function isBlank(byte: u8): bool {
  return byte == 0x20 || byte == 0x09;
}

/** Returns whether the bytes are UTF-8: no overlong forms, surrogates or code points above U+10FFFF. */
export function isUtf8(value: Span): bool {
  const at = addressOf(value);
  const length = lengthOf(value);
  let i = 0;
  while (i < length) {
    const lead = load<u8>(at + i);
    const more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0 || i + more >= length) return false;
    for (let j = 1; j <= more; j++) if ((load<u8>(at + i + j) & 0xc0) != 0x80) return false;
    if (more >= 2) {
      const next = load<u8>(at + i + 1);
      if (
        (lead == 0xe0 && next < 0xa0) ||
        (lead == 0xed && next > 0x9f) ||
        (lead == 0xf0 && next < 0x90) ||
        (lead == 0xf4 && next > 0x8f)
      )
        return false;
    }
    i += more + 1;
  }
  return true;
}

/** Returns the value of 1 to 10 ASCII digits, or -1 when the bytes are anything else or exceed 2^31-1. */
export function parseDecimal(value: Span): i32 {
  const length = lengthOf(value);
  if (length < 1 || length > 10) return -1;
  let total: i64 = 0;
  for (let i = 0; i < length; i++) {
    const digit = load<u8>(addressOf(value) + i) - 0x30;
    if (digit > 9) return -1;
    total = total * 10 + i64(digit);
  }
  return total > i64(i32.MAX_VALUE) ? -1 : i32(total);
}

/** The start value of `hash`: combine several views by handing one's result on as the next one's seed. */
export const HASH_SEED: u64 = 0x9e3779b97f4a7c15;

/**
 * Returns a 64-bit hash of the bytes, mixed so that every bit of the input reaches every bit of the result (multiply,
 * rotate, xor-shift). The length is part of it, so ("ab","c") and ("a","bc") differ when chained. Not secret: a client
 * may look for collisions.
 */
export function hash(value: Span, seed: u64): u64 {
  let address = addressOf(value);
  let left = lengthOf(value);
  let state = seed ^ (u64(u32(left)) * 0xff51afd7ed558ccd);
  while (left >= 8) {
    state = rotl(state ^ (load<u64>(address) * 0xc2b2ae3d27d4eb4f), 29) * 0x9e3779b185ebca87;
    address += 8;
    left -= 8;
  }
  let tail: u64 = 0;
  for (let i = 0; i < left; i++) tail = (tail << 8) | u64(load<u8>(address + i));
  state = rotl(state ^ (tail * 0xc2b2ae3d27d4eb4f), 29) * 0x9e3779b185ebca87;
  state ^= state >> 33;
  state *= 0xff51afd7ed558ccd;
  state ^= state >> 33;
  return state;
}
