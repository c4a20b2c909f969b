// consumes: a domain, a descriptor's entries, a number of hits; the bytes of an answer
// produces: a RateLimitRequest in protobuf; what a RateLimitResponse says
// never does: trap on an answer's bytes; send text that is not UTF-8
// (https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/ratelimit/v3/rls.proto)
import { Bytes, BytesWriter } from "as-proxy-wasm-sdk";
import { ABSENT, addressOf, hash, HASH_SEED, isUtf8, lengthOf, Span } from "../policy/bytes";

/** Longest value in a descriptor as it is; longer ones are cut, and told apart by a hash. */
const LONGEST = 256;
const HEX = memory.data<u8>([
  0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46,
]);

const cleaned = new BytesWriter(1024);

/**
 * Appends one entry (`RateLimitDescriptor.entries`) to a descriptor. A value that is no UTF-8 has its bytes beyond
 * ASCII escaped as %XX.
 */
export function writeEntry(descriptor: BytesWriter, key: Span, value: Span): void {
  const text = cleanText(value);
  const inner = fieldSize(lengthOf(key)) + fieldSize(text.length);
  putVarint(descriptor.byte(0x0a), inner);
  putVarint(descriptor.byte(0x0a), lengthOf(key));
  descriptor.bytes(Bytes.view(addressOf(key), lengthOf(key)));
  putVarint(descriptor.byte(0x12), text.length);
  descriptor.bytes(text);
}

/** Writes a whole request with one descriptor. */
export function writeRequest(message: BytesWriter, domain: Bytes, descriptor: Bytes, hits: u32): void {
  message.clear();
  putVarint(message.byte(0x0a), domain.length);
  message.bytes(domain);
  putVarint(message.byte(0x12), descriptor.length);
  message.bytes(descriptor);
  putVarint(message.byte(0x18), hits);
}

/** What the service says. */
export class ServiceAnswer {
  isOver: bool = false;
  /** Requests per unit, 0 when the service does not say. */
  limit: i64 = 0;
  /** Seconds of the unit, 0 when the service does not say. */
  unitSeconds: i64 = 0;
  /** What is left after this answer, -1 when the service does not say. */
  remaining: i64 = -1;
  /** Nanoseconds until the service's window ends, 0 when it does not say. */
  resetNs: i64 = 0;

  /** Reads a RateLimitResponse; false when the bytes are none. The first descriptor's status counts. */
  read(message: Bytes): bool {
    this.isOver = false;
    this.limit = 0;
    this.unitSeconds = 0;
    this.remaining = -1;
    this.resetNs = 0;
    const fields = begin(0, message.ptr, message.length);
    let statuses = 0;
    while (nextField(fields)) {
      if (fields.tag == 0x08) this.isOver = fields.number == 2;
      else if (
        fields.tag == 0x12 &&
        statuses++ == 0 &&
        !this.readStatus(fields.at - usize(fields.length), fields.length)
      )
        return false;
    }
    return fields.ok;
  }

  private readStatus(at: usize, length: i32): bool {
    const fields = begin(1, at, length);
    this.remaining = 0;
    let hasLimit = false;
    while (nextField(fields)) {
      if (fields.tag == 0x12) {
        hasLimit = true;
        if (!this.readLimit(fields.at - usize(fields.length), fields.length)) return false;
      } else if (fields.tag == 0x18) this.remaining = i64(u32(fields.number));
      else if (fields.tag == 0x22 && !this.readReset(fields.at - usize(fields.length), fields.length)) return false;
    }
    // proto3 leaves zeros out: nothing left is told from nothing said by the limit that comes with it
    if (!hasLimit && this.remaining == 0) this.remaining = -1;
    return fields.ok;
  }

  private readLimit(at: usize, length: i32): bool {
    const fields = begin(2, at, length);
    while (nextField(fields)) {
      if (fields.tag == 0x08) this.limit = i64(u32(fields.number));
      else if (fields.tag == 0x10) this.unitSeconds = secondsOf(u32(fields.number));
    }
    return fields.ok;
  }

  private readReset(at: usize, length: i32): bool {
    const fields = begin(2, at, length);
    while (nextField(fields)) {
      if (fields.tag == 0x08) this.resetNs += min<i64>(max<i64>(i64(fields.number), 0), 31_622_400) * 1_000_000_000;
      else if (fields.tag == 0x10) this.resetNs += i64(u32(fields.number));
    }
    return fields.ok;
  }
}

/** RateLimitResponse.RateLimit.Unit. */
const UNIT_SECONDS: StaticArray<i64> = [0, 1, 60, 3600, 86_400, 2_592_000, 31_536_000, 604_800];

function secondsOf(unit: u32): i64 {
  return unit < u32(UNIT_SECONDS.length) ? UNIT_SECONDS[unit] : 0;
}

/** A place among the fields of a message. One object for each depth: nothing is made while an answer is read. */
class Fields {
  at: usize = 0;
  end: usize = 0;
  tag: u32 = 0;
  /** Of a varint field. */
  number: u64 = 0;
  /** Of a length-delimited field, which ends at `at`. */
  length: i32 = 0;
  ok: bool = true;
}

const depths: StaticArray<Fields> = [new Fields(), new Fields(), new Fields()];

function begin(depth: i32, at: usize, length: i32): Fields {
  const fields = depths[depth];
  fields.at = at;
  fields.end = at + usize(length);
  fields.ok = true;
  return fields;
}

/** Moves to the next field; false at the end, or where the bytes are no message (`ok` tells). */
function nextField(fields: Fields): bool {
  if (fields.at >= fields.end) return false;
  fields.tag = u32(readVarint(fields));
  const kind = fields.tag & 7;
  if (kind == 0) fields.number = readVarint(fields);
  else if (kind == 2) {
    const length = readVarint(fields);
    if (length > u64(fields.end - fields.at)) fields.ok = false;
    else {
      fields.length = i32(length);
      fields.at += usize(length);
    }
  } else if (kind == 1 || kind == 5) {
    const size: usize = kind == 1 ? 8 : 4;
    if (fields.end - fields.at < size) fields.ok = false;
    else fields.at += size;
  } else fields.ok = false;
  return fields.ok;
}

function readVarint(fields: Fields): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (fields.at >= fields.end) break;
    const byte = load<u8>(fields.at++);
    if (shift < 64) value |= u64(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fields.ok = false;
  return 0;
}

function fieldSize(length: i32): i32 {
  return 1 + varintSize(length) + length;
}

function varintSize(value: u32): i32 {
  let size = 1;
  for (; value > 127; value >>= 7) size++;
  return size;
}

function putVarint(to: BytesWriter, value: u32): void {
  for (; value > 127; value >>= 7) to.byte(u8(value | 0x80));
  to.byte(u8(value));
}

function cleanText(value: Span): Bytes {
  cleaned.clear();
  if (value == ABSENT) return cleaned.result;
  const whole = lengthOf(value);
  const length = whole > LONGEST ? LONGEST - 32 : whole;
  const escape = whole > LONGEST || !isUtf8(value);
  for (let i = 0; i < length; i++) {
    const byte = load<u8>(addressOf(value) + i);
    if (escape && byte >= 0x80)
      cleaned
        .byte(0x25)
        .byte(load<u8>(HEX + (byte >> 4)))
        .byte(load<u8>(HEX + (byte & 15)));
    else cleaned.byte(byte);
  }
  if (whole > LONGEST) {
    let rest = hash(value, HASH_SEED);
    cleaned.byte(0x23);
    for (let i = 0; i < 16; i++, rest = rotl(rest, 4)) cleaned.byte(load<u8>(HEX + usize(rest >> 60)));
  }
  return cleaned.result;
}
