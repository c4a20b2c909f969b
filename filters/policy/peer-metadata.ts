// consumes: the `x-envoy-peer-metadata` header: base64 of a protobuf Struct
// (https://protobuf.dev/reference/protobuf/google.protobuf/#struct)
// produces: the workload it describes, as views into one owned copy; and the same encoding for one's own metadata
// never does: trap or read outside on any bytes; nest deeper than the one level that is needed
import { ABSENT, addressOf, equals, lengthOf, Span, spanOf, utf8, viewOf } from "./bytes";

/** The longest header value that is looked at, in bytes. */
export const MAX_PEER_METADATA: i32 = 16384;

const NAMESPACE = utf8("NAMESPACE");
const WORKLOAD_NAME = utf8("WORKLOAD_NAME");
const CLUSTER_ID = utf8("CLUSTER_ID");
const LABELS = utf8("LABELS");
const APP = utf8("app");
const VERSION = utf8("version");
const CANONICAL_NAME = utf8("service.istio.io/canonical-name");
const CANONICAL_REVISION = utf8("service.istio.io/canonical-revision");
const K8S_NAME = utf8("app.kubernetes.io/name");
const K8S_VERSION = utf8("app.kubernetes.io/version");
const LATEST = utf8("latest");

/** A workload as it describes itself; absent parts are ABSENT. The views point into memory this object owns. */
export class PeerMetadata {
  workload: Span = ABSENT;
  namespace: Span = ABSENT;
  cluster: Span = ABSENT;
  app: Span = ABSENT;
  version: Span = ABSENT;
  canonicalName: Span = ABSENT;
  canonicalRevision: Span = ABSENT;
  private k8sName: Span = ABSENT;
  private k8sVersion: Span = ABSENT;
  private bytes: StaticArray<u8> = new StaticArray<u8>(0);

  /** Reads the header's value. Returns whether it was base64 of a Struct; all parts are absent otherwise. Allocates. */
  read(encoded: Span): bool {
    this.clear();
    const length = lengthOf(encoded);
    if (length == 0 || length > MAX_PEER_METADATA) return false;
    this.bytes = new StaticArray<u8>((length * 3) / 4 + 3);
    const size = decodeBase64(encoded, changetype<usize>(this.bytes));
    if (size < 0 || !this.fields(changetype<usize>(this.bytes), changetype<usize>(this.bytes) + size, false)) {
      this.clear();
      return false;
    }
    this.complete();
    return true;
  }

  /**
   * Fills canonical name and revision from what stands in for them (Istio's order: label, app.kubernetes.io, app or
   * version, workload or "latest").
   */
  private complete(): void {
    this.canonicalName = firstPresent(this.canonicalName, this.k8sName, this.app, this.workload);
    this.canonicalRevision = firstPresent(this.canonicalRevision, this.k8sVersion, this.version, viewOf(LATEST));
  }

  private clear(): void {
    this.workload = ABSENT;
    this.namespace = ABSENT;
    this.cluster = ABSENT;
    this.app = ABSENT;
    this.version = ABSENT;
    this.canonicalName = ABSENT;
    this.canonicalRevision = ABSENT;
    this.k8sName = ABSENT;
    this.k8sVersion = ABSENT;
  }

  /** Walks the entries of a Struct: field 1, each a message of key (1) and value (2). */
  private fields(at: usize, end: usize, labels: bool): bool {
    const reader = new ProtoReader(at, end);
    while (reader.next()) {
      if (reader.field != 1 || reader.wire != 2) continue;
      const entry = new ProtoReader(addressOf(reader.value), addressOf(reader.value) + lengthOf(reader.value));
      let key: Span = ABSENT;
      let value: Span = ABSENT;
      while (entry.next()) {
        if (entry.wire == 2 && entry.field == 1) key = entry.value;
        if (entry.wire == 2 && entry.field == 2) value = entry.value;
      }
      if (entry.broken || !this.entry(key, value, labels)) return false;
    }
    return !reader.broken;
  }

  /** Takes one entry; a Value is a string in field 3 or a Struct in field 5, other kinds do not matter here. */
  private entry(key: Span, value: Span, labels: bool): bool {
    const reader = new ProtoReader(addressOf(value), addressOf(value) + lengthOf(value));
    while (reader.next()) {
      if (reader.wire != 2) continue;
      if (reader.field == 3) this.assign(key, reader.value, labels);
      if (reader.field == 5 && !labels && equals(key, viewOf(LABELS))) {
        if (!this.fields(addressOf(reader.value), addressOf(reader.value) + lengthOf(reader.value), true)) return false;
      }
    }
    return !reader.broken;
  }

  private assign(key: Span, value: Span, labels: bool): void {
    if (!labels) {
      if (equals(key, viewOf(WORKLOAD_NAME))) this.workload = value;
      else if (equals(key, viewOf(NAMESPACE))) this.namespace = value;
      else if (equals(key, viewOf(CLUSTER_ID))) this.cluster = value;
      return;
    }
    if (equals(key, viewOf(APP))) this.app = value;
    else if (equals(key, viewOf(VERSION))) this.version = value;
    else if (equals(key, viewOf(CANONICAL_NAME))) this.canonicalName = value;
    else if (equals(key, viewOf(CANONICAL_REVISION))) this.canonicalRevision = value;
    else if (equals(key, viewOf(K8S_NAME))) this.k8sName = value;
    else if (equals(key, viewOf(K8S_VERSION))) this.k8sVersion = value;
  }
}

function firstPresent(a: Span, b: Span, c: Span, d: Span): Span {
  return lengthOf(a) > 0 ? a : lengthOf(b) > 0 ? b : lengthOf(c) > 0 ? c : d;
}

/** Walks the fields of one protobuf message; `broken` once the bytes are not one. */
class ProtoReader {
  field: u64 = 0;
  wire: u64 = 0;
  value: Span = ABSENT;
  broken: bool = false;

  constructor(
    private at: usize,
    private readonly end: usize,
  ) {}

  /** Goes to the next field; false at the end or where the bytes break. */
  next(): bool {
    if (this.broken || this.at >= this.end) return false;
    const tag = this.varint();
    this.field = tag >> 3;
    this.wire = tag & 7;
    let size: u64 = 0;
    if (this.wire == 0) this.varint();
    else if (this.wire == 1) size = 8;
    else if (this.wire == 2) size = this.varint();
    else if (this.wire == 5) size = 4;
    else this.broken = true;
    if (this.broken || size > u64(this.end - this.at)) {
      this.broken = true;
      return false;
    }
    this.value = spanOf(this.at, i32(size));
    this.at += usize(size);
    return true;
  }

  private varint(): u64 {
    let result: u64 = 0;
    for (let shift: u64 = 0; shift < 64; shift += 7) {
      if (this.at >= this.end) break;
      const byte = load<u8>(this.at++);
      result |= u64(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    this.broken = true;
    return 0;
  }
}

/** Writes a protobuf Struct, and it in base64. */
export class StructWriter {
  private bytes: u8[] = [];

  /** Appends an entry whose value is a string. */
  addString(key: Span, value: Span): void {
    const inner: u8[] = [];
    pushField(inner, 0x1a, spanBytes(value));
    this.entry(key, inner);
  }

  /** Appends an entry whose value is another Struct. */
  addStruct(key: Span, value: StructWriter): void {
    const inner: u8[] = [];
    pushField(inner, 0x2a, value.bytes);
    this.entry(key, inner);
  }

  /** Returns the Struct in base64 without padding. */
  toBase64(): StaticArray<u8> {
    const source = this.bytes;
    const out: u8[] = [];
    for (let i = 0; i < source.length; i += 3) {
      const left = source.length - i;
      const group =
        (u32(source[i]) << 16) | (left > 1 ? u32(source[i + 1]) << 8 : 0) | (left > 2 ? u32(source[i + 2]) : 0);
      out.push(digit(group >> 18));
      out.push(digit((group >> 12) & 63));
      if (left > 1) out.push(digit((group >> 6) & 63));
      if (left > 2) out.push(digit(group & 63));
    }
    return StaticArray.fromArray(out);
  }

  private entry(key: Span, value: u8[]): void {
    const entry: u8[] = [];
    pushField(entry, 0x0a, spanBytes(key));
    pushField(entry, 0x12, value);
    pushField(this.bytes, 0x0a, entry);
  }
}

function spanBytes(span: Span): u8[] {
  const out: u8[] = [];
  for (let i = 0; i < lengthOf(span); i++) out.push(load<u8>(addressOf(span) + i));
  return out;
}

function pushField(to: u8[], tag: u8, bytes: u8[]): void {
  to.push(tag);
  let length = u32(bytes.length);
  while (length > 0x7f) {
    to.push(u8(length & 0x7f) | 0x80);
    length >>= 7;
  }
  to.push(u8(length));
  for (let i = 0; i < bytes.length; i++) to.push(bytes[i]);
}

function digit(value: u32): u8 {
  if (value < 26) return u8(0x41 + value);
  if (value < 52) return u8(0x61 + value - 26);
  if (value < 62) return u8(0x30 + value - 52);
  return value == 62 ? 0x2b : 0x2f;
}

/** Decodes base64 with or without padding into `to`; returns the size, or -1 when it is not base64. */
function decodeBase64(encoded: Span, to: usize): i32 {
  let length = lengthOf(encoded);
  while (length > 0 && load<u8>(addressOf(encoded) + length - 1) == 0x3d) length--;
  if ((length & 3) == 1) return -1;
  let group: u32 = 0;
  let bits = 0;
  let size = 0;
  for (let i = 0; i < length; i++) {
    const value = digitValue(load<u8>(addressOf(encoded) + i));
    if (value < 0) return -1;
    group = (group << 6) | u32(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      store<u8>(to + size++, u8(group >> bits));
    }
  }
  return size;
}

function digitValue(byte: u8): i32 {
  const value = i32(byte);
  if (value >= 0x41 && value <= 0x5a) return value - 0x41;
  if (value >= 0x61 && value <= 0x7a) return value - 0x61 + 26;
  if (value >= 0x30 && value <= 0x39) return value - 0x30 + 52;
  return value == 0x2b ? 62 : value == 0x2f ? 63 : -1;
}
