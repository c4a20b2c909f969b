// Sets of bytes as sorted, non-overlapping [low, high] pairs; the named sets of RE2's syntax (unicode-class.ts has
// those of \p).

/**
 * The last byte: Envoy runs RE2 over bytes (its Latin-1 mode), so a pattern's characters are the bytes of its UTF-8.
 */
export const MAX_RUNE: i32 = 0xff;

/** `\d`, and the rest below: RE2's Perl classes, which know ASCII only (https://github.com/google/re2/wiki/Syntax). */
const DIGIT: i32[] = [0x30, 0x39];
const SPACE: i32[] = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];
const WORD: i32[] = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

/** Returns the set of `\d`, `\s` or `\w` for the letter in lower case, or null when the letter names none. */
export function perlClass(letter: i32): i32[] | null {
  if (letter == 0x64) return DIGIT;
  if (letter == 0x73) return SPACE;
  if (letter == 0x77) return WORD;
  return null;
}

/** Returns the set of a POSIX name as in `[[:alpha:]]`, or null when there is none of that name. */
export function posixClass(name: string): i32[] | null {
  if (name == "alnum") return [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a];
  if (name == "alpha") return [0x41, 0x5a, 0x61, 0x7a];
  if (name == "ascii") return [0, 0x7f];
  if (name == "blank") return [0x09, 0x09, 0x20, 0x20];
  if (name == "cntrl") return [0, 0x1f, 0x7f, 0x7f];
  if (name == "digit") return DIGIT;
  if (name == "graph") return [0x21, 0x7e];
  if (name == "lower") return [0x61, 0x7a];
  if (name == "print") return [0x20, 0x7e];
  if (name == "punct") return [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e];
  if (name == "space") return [0x09, 0x0d, 0x20, 0x20];
  if (name == "upper") return [0x41, 0x5a];
  if (name == "word") return WORD;
  if (name == "xdigit") return [0x30, 0x39, 0x41, 0x46, 0x61, 0x66];
  return null;
}

/** Adds [low, high] to a set under construction (`normalize` sorts later). */
function addRange(ranges: i32[], low: i32, high: i32): void {
  ranges.push(low);
  ranges.push(high);
}

/** Adds every range of `other`. */
export function addAll(ranges: i32[], other: i32[]): void {
  for (let i = 0; i < other.length; i++) ranges.push(other[i]);
}

/** Adds the other case of every ASCII letter in the set: over bytes RE2 knows no other case. */
export function addFolded(ranges: i32[]): void {
  const count = ranges.length;
  for (let i = 0; i < count; i += 2) {
    const low = ranges[i];
    const high = ranges[i + 1];
    addShifted(ranges, max(low, 0x41), min(high, 0x5a), 0x20);
    addShifted(ranges, max(low, 0x61), min(high, 0x7a), -0x20);
  }
}

function addShifted(ranges: i32[], low: i32, high: i32, by: i32): void {
  if (low <= high) addRange(ranges, low + by, high + by);
}

/** Returns the set sorted, with overlapping and adjoining ranges merged. */
export function normalize(ranges: i32[]): i32[] {
  const pairs = new Array<i64>();
  for (let i = 0; i < ranges.length; i += 2) pairs.push((i64(ranges[i]) << 32) | i64(ranges[i + 1]));
  pairs.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const out = new Array<i32>();
  for (let i = 0; i < pairs.length; i++) {
    const low = i32(pairs[i] >> 32);
    const high = i32(pairs[i] & 0xffffffff);
    const last = out.length - 1;
    if (last > 0 && low <= out[last] + 1) out[last] = max(out[last], high);
    else addRange(out, low, high);
  }
  return out;
}

/** Returns the complement of a normalized set. */
export function negate(ranges: i32[]): i32[] {
  const out = new Array<i32>();
  let next = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    if (next < ranges[i]) addRange(out, next, ranges[i] - 1);
    next = ranges[i + 1] + 1;
  }
  if (next <= MAX_RUNE) addRange(out, next, MAX_RUNE);
  return out;
}
