// consumes: a limit, the current request
// produces: the values of its key's parts, the bucket they choose, what the request costs
// never does: allocate while a request is decided; take a header's word for who the caller is
import { getProperty, ROUTE_NAME } from "as-proxy-wasm-sdk";
import { hostMetadata } from "../request/host-metadata";
import { hostRequest as request } from "../request/host-request";
import { LenientForm } from "../policy/request-text";
import {
  ABSENT,
  cut,
  emptySpan,
  hash,
  indexOf,
  lengthOf,
  parseDecimal,
  Span,
  spanOf,
  utf8,
  viewOf,
} from "../policy/bytes";
import { IpAddress } from "../policy/cidr";
import { ClaimKind } from "../policy/jwt-claims";
import { Bucket, Cost, KeyPart, KeySource, Limit, Override } from "./limit";

const TRUE = utf8("true");
const FALSE = utf8("false");
/** Texts of addresses and numbers are put together here, one place for each part of a key. */
const SCRATCH: i32 = 48;

let values: StaticArray<Span> = new StaticArray<Span>(4);
let scratch: StaticArray<u8> = new StaticArray<u8>(4 * SCRATCH);

/** Makes room for keys of that many parts. Configuration time only: it allocates. */
export function prepareKeys(parts: i32): void {
  if (parts <= values.length) return;
  values = new StaticArray<Span>(parts);
  scratch = new StaticArray<u8>(parts * SCRATCH);
}

/** Returns the value of a part of the key that was read last; ABSENT where there is none. */
export function keyValue(index: i32): Span {
  return unchecked(values[index]);
}

/**
 * Reads the values of a limit's key and returns the bucket they lead to: the first override that is for this caller and
 * key, else the limit's own.
 */
export function chooseBucket(limit: Limit): Bucket {
  const parts = limit.key;
  for (let i = 0; i < parts.length; i++) unchecked((values[i] = valueOf(unchecked(parts[i]), i)));
  for (let i = 0; i < limit.overrides.length; i++) {
    const own = unchecked(limit.overrides[i]);
    if (isFor(own)) return own.bucket;
  }
  return limit.bucket;
}

/** Returns the hash of the key that was read last, within a bucket's family; 0 for a bucket without one. */
export function keyIn(bucket: Bucket, limit: Limit): u64 {
  return bucket.keyed ? keyHash(bucket.seed, limit.key.length) : 0;
}

/** Returns the hash of the key that was read last; never 0. An absent value counts as an empty one. */
export function keyHash(seed: u64, parts: i32): u64 {
  let state = seed;
  for (let i = 0; i < parts; i++) {
    const value = unchecked(values[i]);
    state = hash(value == ABSENT ? emptySpan() : value, state);
  }
  return state == 0 ? 1 : state;
}

/**
 * Returns what the request takes. A header that is not a number takes the most: nobody gets cheaper by writing
 * nonsense.
 */
export function costOf(cost: Cost): i64 {
  if (cost.header.length == 0) return cost.otherwise;
  const text = request.joinedHeader(viewOf(cost.header));
  if (text == ABSENT) return cost.otherwise;
  const value = parseDecimal(text);
  return value < 0 ? cost.most : min(max(i64(value), cost.least), cost.most);
}

function isFor(own: Override): bool {
  for (let i = 0; i < own.values.length; i++) {
    const pattern = unchecked(own.values[i]);
    if (pattern != null && !pattern.matches(unchecked(values[i]))) return false;
  }
  const principals = own.principals;
  return principals == null || principals.holds(request, true);
}

function valueOf(part: KeyPart, index: i32): Span {
  switch (part.source) {
    case KeySource.Header:
      return request.joinedHeader(viewOf(part.name));
    case KeySource.Principal:
      return request.principal().name;
    case KeySource.Namespace:
      return request.principal().namespace;
    case KeySource.ServiceAccount:
      return request.principal().serviceAccount;
    case KeySource.Ip:
      return addressValue(request.peerIp(), part.asText, index);
    case KeySource.RemoteIp:
      return addressValue(request.remoteIp(), part.asText, index);
    case KeySource.Path:
      // However it is spelt, it is counted in one place.
      return request.lenientPath(LenientForm.SlashesFirst);
    case KeySource.PathTemplate:
      return templateValue(part);
    case KeySource.PathCapture:
      return captureValue(part);
    case KeySource.Route: {
      const name = getProperty(ROUTE_NAME);
      return name == null ? ABSENT : spanOf(name.ptr, name.length);
    }
    default:
      return claimValue(part, index);
  }
}

function templateValue(part: KeyPart): Span {
  const path = request.lenientPath(LenientForm.SlashesFirst);
  if (path == ABSENT) return ABSENT;
  for (let i = 0; i < part.templates.length; i++) {
    if (unchecked(part.templates[i]).matches(path, true)) return viewOf(unchecked(part.templateTexts[i]));
  }
  return ABSENT;
}

/**
 * What stands where the template's first `{*}` is: it begins behind the template's first literal and ends with the
 * segment.
 */
function captureValue(part: KeyPart): Span {
  const path = request.lenientPath(LenientForm.SlashesFirst);
  const template = unchecked(part.templates[0]);
  if (path == ABSENT || !template.matches(path, true)) return ABSENT;
  const start = unchecked(template.literals[0]).length;
  const slash = indexOf(path, 0x2f, start);
  return cut(path, start, slash < 0 ? lengthOf(path) : slash);
}

function claimValue(part: KeyPart, index: i32): Span {
  const claim = part.claim!;
  const value = part.claimValue;
  claim.read(hostMetadata, value);
  if (!part.asText) return value.raw;
  switch (value.kind) {
    case ClaimKind.Text:
      return value.text;
    case ClaimKind.Number:
      return numberText(i64(value.number), index);
    case ClaimKind.Boolean:
      return viewOf(value.flag ? TRUE : FALSE);
    case ClaimKind.List:
      return value.items.count > 0 ? value.items.at(0) : ABSENT;
    default:
      return ABSENT;
  }
}

// @ts-ignore: decorator
@inline
function scratchOf(index: i32): usize {
  return changetype<usize>(scratch) + index * SCRATCH;
}

function addressValue(address: IpAddress, asText: bool, index: i32): Span {
  const at = scratchOf(index);
  if (!address.valid) return ABSENT;
  if (!asText) {
    store<u64>(at, address.high);
    store<u64>(at, address.low, 8);
    return spanOf(at, 16);
  }
  let end = at;
  if (address.high == 0 && address.low >> 32 == 0xffff) {
    for (let shift = 24; shift >= 0; shift -= 8) {
      if (shift < 24) store<u8>(end++, 0x2e);
      end = putNumber(end, (address.low >> u64(shift)) & 255, 10);
    }
  } else {
    for (let group = 0; group < 8; group++) {
      if (group > 0) store<u8>(end++, 0x3a);
      end = putNumber(end, ((group < 4 ? address.high : address.low) >> u64(48 - (group & 3) * 16)) & 0xffff, 16);
    }
  }
  return spanOf(at, i32(end - at));
}

function numberText(value: i64, index: i32): Span {
  const at = scratchOf(index);
  if (value < 0) store<u8>(at, 0x2d);
  const end = putNumber(at + usize(value < 0), value < 0 ? 0 - u64(value) : u64(value), 10);
  return spanOf(at, i32(end - at));
}

function putNumber(at: usize, value: u64, base: u64): usize {
  const end = value >= base ? putNumber(at, value / base, base) : at;
  const digit = u8(value % base);
  store<u8>(end, digit < 10 ? 0x30 + digit : 0x57 + digit);
  return end + 1;
}
