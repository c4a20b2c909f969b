// consumes: `:path` and `cookie` as they stand in the request
// produces: their parts as views
// never does: allocate while a request is decided; decode percent-encoding (Envoy's own matching does not) but in the
// lenient reading
import {
  ABSENT,
  addressOf,
  cut,
  emptySpan,
  equals,
  indexOf,
  lengthOf,
  Span,
  spanOf,
  textOf,
  trim,
  utf8,
  viewOf,
} from "./bytes";

/** Returns `:path` without its query and fragment. */
export function pathOf(target: Span): Span {
  if (target == ABSENT) return ABSENT;
  const address = addressOf(target);
  const length = lengthOf(target);
  for (let i = 0; i < length; i++) {
    const byte = load<u8>(address + i);
    if (byte == 0x3f || byte == 0x23) return cut(target, 0, i);
  }
  return target;
}

/** Returns whether a lenient application may read another path than the one that stands there. */
export function hasLenientReading(path: Span): bool {
  let afterSlash = false;
  for (let i = 0; i < lengthOf(path); i++) {
    const byte = load<u8>(addressOf(path) + i);
    if (byte == 0x25 || byte == 0x3b || byte == 0x5c) return true;
    if (afterSlash && (byte == 0x2f || byte == 0x2e)) return true;
    afterSlash = byte == 0x2f;
  }
  return false;
}

/** What a lenient application makes of dot segments and double slashes. */
export enum LenientForm {
  /** Slashes are merged, then dot segments resolved: `/a//../b` is `/b`. */
  SlashesFirst,
  /** Dot segments are resolved, then slashes merged: `/a//../b` is `/a/b`. */
  DotsFirst,
  /** Both stay. */
  Decoded,
}

/**
 * Writes `path` to `to` (room for as many bytes) as an application may read it that decodes first and asks later:
 * percent-encoding undone, backslashes taken for slashes, parameters (`;x`) dropped, ended by a decoded `?`, `#` or
 * NUL, blanks at the end cut, and of dot segments and double slashes what `form` says.
 */
export function lenientPath(path: Span, to: usize, form: LenientForm): Span {
  const from = addressOf(path);
  const length = lengthOf(path);
  let size = 0;
  let inParameters = false;
  for (let i = 0; i < length; i++) {
    let byte = load<u8>(from + i);
    const escape = escapeAt(path, i);
    if (escape >= 0) {
      byte = u8(escape);
      i += 2;
      if (byte == 0x3f || byte == 0x23 || byte == 0) break;
    }
    if (isSlash(byte)) {
      byte = 0x2f;
      inParameters = false;
      if (form != LenientForm.Decoded) {
        const before = size;
        size = withoutDots(to, size);
        const mayMerge = form == LenientForm.SlashesFirst || size != before;
        if (mayMerge && size > 0 && load<u8>(to + size - 1) == 0x2f) continue;
      }
    } else if (byte == 0x3b) inParameters = true;
    if (!inParameters) store<u8>(to + size++, byte);
  }
  while (size > 0 && load<u8>(to + size - 1) <= 0x20) size--;
  if (form == LenientForm.Decoded) return spanOf(to, size);
  size = withoutDots(to, size);
  return spanOf(to, form == LenientForm.DotsFirst ? withoutDoubleSlashes(to, size) : size);
}

/**
 * Returns whether `.` or `..` is left as a segment, plain, encoded, with parameters (`..;x`) or between encoded
 * slashes:
 * an application that resolves it comes to another place than the text says.
 */
export function hasDotSegment(path: Span): bool {
  const length = lengthOf(path);
  /** Of the segment; less than none when it has something else. */
  let dots = 0;
  let inParameters = false;
  for (let i = 0; i < length; i++) {
    const escape = escapeAt(path, i);
    const byte = escape < 0 ? load<u8>(addressOf(path) + i) : u8(escape);
    if (escape >= 0) i += 2;
    if (isSlash(byte)) {
      if (dots == 1 || dots == 2) return true;
      dots = 0;
      inParameters = false;
    } else if (byte == 0x3b) inParameters = true;
    else if (!inParameters) dots = byte == 0x2e && dots >= 0 ? dots + 1 : -1;
  }
  return dots == 1 || dots == 2;
}

/** Returns the byte that a percent-encoding at `at` stands for, or -1. */
export function escapeAt(text: Span, at: i32): i32 {
  const address = addressOf(text) + at;
  if (at + 2 >= lengthOf(text) || load<u8>(address) != 0x25) return -1;
  const high = hexDigit(load<u8>(address + 1));
  const low = hexDigit(load<u8>(address + 2));
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

/** Returns whether applications take the byte for a slash. */
export function isSlash(byte: u8): bool {
  return byte == 0x2f || byte == 0x5c;
}

/** Makes one slash of several, in place; returns the size of what is left. */
function withoutDoubleSlashes(to: usize, size: i32): i32 {
  let kept = 0;
  for (let i = 0; i < size; i++) {
    const byte = load<u8>(to + i);
    if (byte != 0x2f || kept == 0 || load<u8>(to + kept - 1) != 0x2f) store<u8>(to + kept++, byte);
  }
  return kept;
}

/** Returns the size of what is left when the last segment is `.` or `..`: it ends with a slash then. */
function withoutDots(to: usize, size: i32): i32 {
  const start = lastSlash(to, size) + 1;
  const dots = size - start;
  if (dots < 1 || dots > 2 || load<u8>(to + size - 1) != 0x2e || load<u8>(to + start) != 0x2e) return size;
  return dots == 1 || start == 0 ? start : max(lastSlash(to, start - 1) + 1, 1);
}

function lastSlash(to: usize, size: i32): i32 {
  let at = size - 1;
  while (at >= 0 && load<u8>(to + at) != 0x2f) at--;
  return at;
}

function hexDigit(byte: u8): i32 {
  const lower = byte | 0x20;
  return u8(byte - 0x30) < 10 ? i32(byte) - 0x30 : u8(lower - 0x61) < 6 ? i32(lower) - 0x57 : -1;
}

/** Returns whether a path pattern has other forms among lenient paths. Configuration time only. */
export function hasLenientText(pattern: string): bool {
  return hasLenientReading(viewOf(utf8(pattern)));
}

/**
 * Returns whether a pattern's own slashes or dots are more than separators: merged it would stand for other paths.
 * Configuration time only.
 */
export function isFolded(pattern: string): bool {
  const merged = lenientText(pattern, LenientForm.SlashesFirst);
  return merged != lenientText(pattern, LenientForm.Decoded) || merged.split("/").length != pattern.split("/").length;
}

/** Returns `lenientPath` of a text. Configuration time only: it allocates. */
export function lenientText(path: string, form: LenientForm): string {
  const bytes = utf8(path);
  const to = new StaticArray<u8>(bytes.length);
  return textOf(lenientPath(viewOf(bytes), changetype<usize>(to), form));
}

/** Returns what follows the first `?` of `:path`, up to a fragment; empty when there is no query. */
export function queryOf(target: Span): Span {
  const hash = indexOf(target, 0x23, 0);
  const whole = hash < 0 ? target : cut(target, 0, hash);
  const mark = indexOf(whole, 0x3f, 0);
  return mark < 0 ? emptySpan() : cut(whole, mark + 1, lengthOf(whole));
}

/**
 * Returns the first value of a query parameter, not decoded ("" for `?name` and `?name=`), or ABSENT: what Envoy's
 * matcher sees.
 */
export function queryParameter(query: Span, name: Span): Span {
  let at = 0;
  const length = lengthOf(query);
  while (at < length) {
    const ampersand = indexOf(query, 0x26, at);
    const end = ampersand < 0 ? length : ampersand;
    const pair = cut(query, at, end);
    const sign = indexOf(pair, 0x3d, 0);
    if (equals(sign < 0 ? pair : cut(pair, 0, sign), name))
      return sign < 0 ? emptySpan() : cut(pair, sign + 1, lengthOf(pair));
    at = end + 1;
  }
  return ABSENT;
}

/**
 * Returns the value of a cookie out of one `cookie` header, without surrounding quotes, or ABSENT. The first of that
 * name wins.
 */
export function cookieValue(header: Span, name: Span): Span {
  let at = 0;
  const length = lengthOf(header);
  while (at < length) {
    const semicolon = indexOf(header, 0x3b, at);
    const end = semicolon < 0 ? length : semicolon;
    const pair = trim(cut(header, at, end));
    const sign = indexOf(pair, 0x3d, 0);
    if (sign >= 0 && equals(cut(pair, 0, sign), name)) return unquoted(cut(pair, sign + 1, lengthOf(pair)));
    at = end + 1;
  }
  return ABSENT;
}

function unquoted(value: Span): Span {
  const length = lengthOf(value);
  const quoted = length >= 2 && load<u8>(addressOf(value)) == 0x22 && load<u8>(addressOf(value) + length - 1) == 0x22;
  return quoted ? cut(value, 1, length - 1) : value;
}

/** Returns an authority without its port and trailing dots: `a.com.:80` → `a.com`, `[::1]:80` → `[::1]`. */
export function hostOf(authority: Span): Span {
  if (authority == ABSENT) return ABSENT;
  const address = addressOf(authority);
  let end = lengthOf(authority);
  let digits = end;
  while (digits > 0 && u8(load<u8>(address + digits - 1) - 0x30) < 10) digits--;
  if (digits > 0 && load<u8>(address + digits - 1) == 0x3a && !isBareV6(authority, digits - 1)) end = digits - 1;
  while (end > 0 && load<u8>(address + end - 1) == 0x2e) end--;
  return cut(authority, 0, end);
}

/**
 * Returns whether applications may disagree about which host an authority names: it has several, joined by `,`, or a
 * user before it.
 */
export function isAmbiguousHost(authority: Span): bool {
  return indexOf(authority, 0x2c, 0) >= 0 || indexOf(authority, 0x40, 0) >= 0;
}

/** Returns what stands behind the last `@`. */
export function withoutUser(authority: Span): Span {
  let at = lengthOf(authority);
  while (at > 0 && load<u8>(addressOf(authority) + at - 1) != 0x40) at--;
  return cut(authority, at, lengthOf(authority));
}

/**
 * Returns what stands before the first `:` (but inside brackets), without trailing dots: the host even where several
 * ports follow.
 */
export function beforePort(authority: Span): Span {
  const bracket = indexOf(authority, 0x5d, 0);
  const colon = indexOf(authority, 0x3a, max(bracket, 0));
  let end = colon < 0 ? lengthOf(authority) : colon;
  while (end > 0 && load<u8>(addressOf(authority) + end - 1) == 0x2e) end--;
  return cut(authority, 0, end);
}

/** Whether the colon at `colon` belongs to an IPv6 address that stands without brackets. */
function isBareV6(authority: Span, colon: i32): bool {
  const first = indexOf(authority, 0x3a, 0);
  return first != colon && load<u8>(addressOf(authority)) != 0x5b;
}
