// consumes: what Envoy's jwt_authn left in dynamic metadata, as the bytes that a host answers for a path into it
// produces: claims with their types: text, number, true or false, list of texts
// never does: take a list, a map or a number for a text; trap on what a token holds; believe a token that jwt_authn did
// not verify
//
// The host answers with bytes alone, so the type is told from them: a list comes as pairs whose second halves are empty
//
//   u32 count │ u32 length, u32 0 │ … │ element NUL, NUL │ element NUL, NUL │ …
//
// and its first element can be asked for as step "0"; numbers are 8 bytes of a double, booleans one byte. A text that
// holds a NUL is none here: no claim that a policy could name has one, and everything that is not a text has.
import { ABSENT, addressOf, cut, equals, isUtf8, lengthOf, Span, spanOf, utf8, viewOf } from "./bytes";
import { SpanList } from "./span-list";

/** Where jwt_authn puts the claims when `payload_in_metadata` is "payload". */
const PAYLOAD = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0";
const METADATA = "metadata\0filter_metadata\0";

/** Whoever can look up dynamic metadata: a host, or a table in a test. */
export abstract class MetadataReader {
  /**
   * Returns the bytes at a path (steps separated by NUL), valid until the callback ends; ABSENT when nothing is there
   * or it cannot be shown.
   */
  abstract read(path: Span): Span;
}

/** What a claim holds. */
export enum ClaimKind {
  /** Nothing, null, or a map: a map's own claims have paths of their own. */
  Absent,
  Text,
  Number,
  Boolean,
  /** A list; elements that are no texts are left out. */
  List,
  /** A text with NUL in it, which no list, map or number looks like. */
  Odd,
}

/** One claim as it was read; views are valid until the callback ends. One object can be read into again and again. */
export class ClaimValue {
  kind: ClaimKind = ClaimKind.Absent;
  /** The text of a Text; its bytes are UTF-8 without NUL. ABSENT otherwise. */
  text: Span = ABSENT;
  /** The value of a Number. */
  number: f64 = 0;
  /** The value of a Boolean. */
  flag: bool = false;
  /** The elements of a List. */
  readonly items: SpanList = new SpanList();
  /**
   * The bytes as the host gave them, whatever they are; ABSENT when there is nothing. Good for telling values apart
   * (hashes, keys).
   */
  raw: Span = ABSENT;

  /** Forgets the value. */
  clear(): void {
    this.kind = ClaimKind.Absent;
    this.text = ABSENT;
    this.items.count = 0;
    this.raw = ABSENT;
  }
}

/** Where a claim, or another value of dynamic metadata, stands. */
export class ClaimPath {
  private readonly path: StaticArray<u8>;
  private readonly first: StaticArray<u8>;

  /** @param path steps separated by NUL, from the attribute's name on */
  constructor(path: string) {
    this.path = utf8(path);
    this.first = utf8(path + "\0" + "0");
  }

  /**
   * Returns the path of a claim: its name, then the names inside it. Neither may be empty or hold NUL (`parseClaimKey`
   * sees to that).
   */
  static claim(names: string[]): ClaimPath {
    return new ClaimPath(PAYLOAD + names.join("\0"));
  }

  /** Returns the path of a key in a filter's own dynamic metadata. */
  static metadata(filter: string, key: string): ClaimPath {
    return new ClaimPath(METADATA + filter + "\0" + key);
  }

  /** Reads what stands there now. */
  read(reader: MetadataReader, value: ClaimValue): void {
    value.clear();
    const raw = reader.read(viewOf(this.path));
    if (raw == ABSENT) return;
    value.raw = raw;
    const length = lengthOf(raw);
    if (!hasNul(raw) && !isDouble(raw) && !(length == 1 && load<u8>(addressOf(raw)) < 2)) {
      value.kind = ClaimKind.Text;
      value.text = raw;
    } else if (readList(raw, value.items) && this.isList(reader, value.items)) {
      value.kind = ClaimKind.List;
      keepTexts(value.items);
    } else if (length == 1) {
      value.kind = ClaimKind.Boolean;
      value.flag = load<u8>(addressOf(raw)) != 0;
    } else if (length == 8) {
      value.kind = ClaimKind.Number;
      value.number = load<f64>(addressOf(raw));
    } else if (!isPairs(raw)) value.kind = ClaimKind.Odd;
    if (value.kind != ClaimKind.List) value.items.count = 0;
  }

  /**
   * Only a list has something at step 0 that is its first element: a map whose values are empty, or a text made to look
   * so, has not.
   */
  private isList(reader: MetadataReader, items: SpanList): bool {
    return items.count > 0 && equals(reader.read(viewOf(this.first)), items.at(0));
  }
}

/** The result of `parseClaimKey`: a path, or null and what is wrong. */
export class ClaimPathResult {
  constructor(
    readonly path: ClaimPath | null,
    readonly error: string,
  ) {}
}

/** Returns the path that `[a]` or `[a][b]` means: what follows `request.auth.claims` in a condition's key. */
export function parseClaimKey(brackets: string): ClaimPathResult {
  if (brackets.length < 3 || !brackets.startsWith("[") || !brackets.endsWith("]"))
    return new ClaimPathResult(null, "a claim is written [name] or [name][inner name]");
  const names = brackets.substring(1, brackets.length - 1).split("][");
  for (let i = 0; i < names.length; i++) {
    if (names[i].length == 0 || names[i].includes("\0"))
      return new ClaimPathResult(null, "a claim's name cannot be empty");
  }
  return new ClaimPathResult(ClaimPath.claim(names), "");
}

const ISSUER = ClaimPath.claim(["iss"]);
const SUBJECT = ClaimPath.claim(["sub"]);
const issuer = new ClaimValue();
const subject = new ClaimValue();
let principal: StaticArray<u8> = new StaticArray<u8>(256);

/**
 * Returns `<issuer>/<subject>` of the verified token, Istio's request principal, or ABSENT without a token that has
 * both. The view is valid until the next call.
 */
export function requestPrincipal(reader: MetadataReader): Span {
  ISSUER.read(reader, issuer);
  if (issuer.kind != ClaimKind.Text || lengthOf(issuer.text) == 0) return ABSENT;
  SUBJECT.read(reader, subject);
  if (subject.kind != ClaimKind.Text || lengthOf(subject.text) == 0) return ABSENT;
  const before = lengthOf(issuer.text);
  const size = before + 1 + lengthOf(subject.text);
  // Grows once per longest principal; Envoy bounds headers, and so tokens.
  if (principal.length < size) principal = new StaticArray<u8>(size * 2);
  const at = changetype<usize>(principal);
  memory.copy(at, addressOf(issuer.text), before);
  store<u8>(at + before, 0x2f);
  memory.copy(at + before + 1, addressOf(subject.text), lengthOf(subject.text));
  return spanOf(at, size);
}

/**
 * Returns the number that a pattern writes as JSON does, without exponent; NaN when it writes none (`parseFloat` takes
 * what only begins like one).
 */
export function numberOf(pattern: string): f64 {
  for (let i = 0; i < pattern.length; i++) {
    const unit = pattern.charCodeAt(i);
    if (!((unit >= 0x30 && unit <= 0x39) || unit == 0x2e || (unit == 0x2d && i == 0))) return NaN;
  }
  return parseFloat(pattern);
}

/**
 * Eight bytes with a control character or that are not UTF-8 are no text that a person wrote: a double nearly always
 * has one.
 */
function isDouble(raw: Span): bool {
  if (lengthOf(raw) != 8) return false;
  const at = addressOf(raw);
  for (let i = 0; i < 8; i++) if (load<u8>(at + i) < 0x20) return true;
  return !isUtf8(raw);
}

function hasNul(value: Span): bool {
  const at = addressOf(value);
  for (let i = 0; i < lengthOf(value); i++) if (load<u8>(at + i) == 0) return true;
  return false;
}

/** Whether the bytes are exactly a serialized map or list. */
function isPairs(raw: Span): bool {
  const length = lengthOf(raw);
  const base = addressOf(raw);
  if (length < 4) return false;
  const count = u64(load<u32>(base));
  if (count * 10 + 4 > u64(length)) return false;
  let size = 4 + count * 10;
  for (let i: usize = 0; i < usize(count) * 2; i++) size += u64(load<u32>(base + 4 + i * 4));
  return size == u64(length);
}

/** Puts the elements of a serialized list into `items`; false when the bytes are not exactly one. */
function readList(raw: Span, items: SpanList): bool {
  items.count = 0;
  if (!isPairs(raw)) return false;
  const base = addressOf(raw);
  const count = load<i32>(base);
  let at = 4 + count * 8;
  for (let i = 0; i < count; i++) {
    const size = load<i32>(base + 4 + usize(i) * 8);
    if (load<u32>(base + 8 + usize(i) * 8) != 0) return false;
    items.push(cut(raw, at, at + size));
    at += size + 2;
  }
  return true;
}

/** Leaves out the elements that are no texts. */
function keepTexts(items: SpanList): void {
  const count = items.count;
  items.count = 0;
  for (let i = 0; i < count; i++) {
    const item = items.at(i);
    if (!hasNul(item) && !isDouble(item)) items.push(item);
  }
}
