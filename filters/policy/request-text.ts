// consumes: `:path` and `cookie` as they stand in the request
// produces: their parts as views
// never does: decode percent-encoding (Envoy's own matching does not), allocate
import { ABSENT, addressOf, cut, emptySpan, equals, indexOf, lengthOf, Span, trim } from "./bytes";

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

/** Returns what follows the first `?` of `:path`, up to a fragment; empty when there is no query. */
export function queryOf(target: Span): Span {
  const hash = indexOf(target, 0x23, 0);
  const whole = hash < 0 ? target : cut(target, 0, hash);
  const mark = indexOf(whole, 0x3f, 0);
  return mark < 0 ? emptySpan() : cut(whole, mark + 1, lengthOf(whole));
}

/** Returns the first value of a query parameter, not decoded ("" for `?name` and `?name=`), or ABSENT: what Envoy's matcher sees. */
export function queryParameter(query: Span, name: Span): Span {
  let at = 0;
  const length = lengthOf(query);
  while (at < length) {
    const ampersand = indexOf(query, 0x26, at);
    const end = ampersand < 0 ? length : ampersand;
    const pair = cut(query, at, end);
    const sign = indexOf(pair, 0x3d, 0);
    if (equals(sign < 0 ? pair : cut(pair, 0, sign), name)) return sign < 0 ? emptySpan() : cut(pair, sign + 1, lengthOf(pair));
    at = end + 1;
  }
  return ABSENT;
}

/** Returns the value of a cookie out of one `cookie` header, without surrounding quotes, or ABSENT. The first of that name wins. */
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

/** Whether the colon at `colon` belongs to an IPv6 address that stands without brackets. */
function isBareV6(authority: Span, colon: i32): bool {
  const first = indexOf(authority, 0x3a, 0);
  return first != colon && load<u8>(addressOf(authority)) != 0x5b;
}
