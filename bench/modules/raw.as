// What every hand-written module here needs: host functions, memory for what the host returns, a walk over header
// pairs.

@external("env", "proxy_get_header_map_pairs")
export declare function hostPairs(map: i32, at: usize, length: usize): i32;

@external("env", "proxy_add_header_map_value")
export declare function hostAddHeader(map: i32, name: usize, nameLength: usize, value: usize, valueLength: usize): i32;

@external("env", "proxy_remove_header_map_value")
export declare function hostRemoveHeader(map: i32, name: usize, nameLength: usize): i32;

@external("env", "proxy_get_property")
export declare function hostProperty(path: usize, pathLength: usize, at: usize, length: usize): i32;

@external("env", "proxy_set_property")
export declare function hostSetProperty(path: usize, pathLength: usize, value: usize, valueLength: usize): i32;

@external("env", "proxy_get_shared_data")
export declare function hostGetShared(key: usize, keyLength: usize, at: usize, length: usize, version: usize): i32;

@external("env", "proxy_set_shared_data")
export declare function hostSetShared(
  key: usize,
  keyLength: usize,
  value: usize,
  valueLength: usize,
  version: u32,
): i32;

@external("env", "proxy_define_metric")
export declare function hostDefineMetric(kind: i32, name: usize, nameLength: usize, id: usize): i32;

@external("env", "proxy_increment_metric")
export declare function hostIncrement(id: i32, by: i64): i32;

@external("env", "proxy_record_metric")
export declare function hostRecord(id: i32, value: i64): i32;

@external("env", "proxy_send_local_response")
export declare function hostReply(
  status: u32,
  details: usize,
  detailsLength: usize,
  body: usize,
  bodyLength: usize,
  headers: usize,
  headersLength: usize,
  grpc: i32,
): i32;

@external("env", "proxy_call_foreign_function")
export declare function hostForeign(
  name: usize,
  nameLength: usize,
  argument: usize,
  argumentLength: usize,
  at: usize,
  length: usize,
): i32;

@external("env", "proxy_get_buffer_bytes")
export declare function hostBuffer(kind: i32, start: u32, most: u32, at: usize, length: usize): i32;

@external("wasi_snapshot_preview1", "clock_time_get")
export declare function hostClock(clock: i32, precision: i64, at: usize): i32;

/** The host writes an address at +0, a length at +4, a third number at +8. */
export const out: usize = memory.data(32, 16);
const space: usize = memory.data(65536, 16);
let used: usize = 0;

export function allocate(size: usize): usize {
  const at = space + used;
  used += (size + 7) & ~7;
  return used > 65536 ? 0 : at;
}

export function forget(): void {
  used = 0;
}

/** ASCII text in memory, made once at start. */
export class Text {
  readonly bytes: ArrayBuffer;
  constructor(text: string) {
    this.bytes = String.UTF8.encode(text);
  }
  get at(): usize {
    return changetype<usize>(this.bytes);
  }
  get length(): i32 {
    return this.bytes.byteLength;
  }
}

let headerCount: u32 = 0,
  headerBase: usize = 0;
/** The value that `findHeader` found. */
export let valueAt: usize = 0,
  valueLength: u32 = 0;

export function readHeaders(): void {
  hostPairs(0, out, out + 4);
  headerBase = load<u32>(out);
  headerCount = load<u32>(headerBase);
}

export function findHeader(name: Text): bool {
  let at: usize = headerBase + 4 + headerCount * 8;
  const wanted = u32(name.length),
    bytes = name.at;
  for (let i: u32 = 0; i < headerCount; i++) {
    const nameLength = load<u32>(headerBase + 4 + i * 8),
      length = load<u32>(headerBase + 8 + i * 8);
    if (nameLength == wanted && memory.compare(at, bytes, wanted) == 0) {
      valueAt = at + nameLength + 1;
      valueLength = length;
      return true;
    }
    at += nameLength + length + 2;
  }
  return false;
}

export function valueIs(text: Text): bool {
  return valueLength == u32(text.length) && memory.compare(valueAt, text.at, valueLength) == 0;
}

export function valueBegins(text: Text): bool {
  return valueLength >= u32(text.length) && memory.compare(valueAt, text.at, text.length) == 0;
}

/** Reads an attribute; its bytes are at load<u32>(out), as many as load<u32>(out + 4). False when it is absent. */
export function property(path: Text): bool {
  return hostProperty(path.at, path.length, out, out + 4) == 0;
}

export function numberOf(path: Text): i64 {
  return property(path) && load<u32>(out + 4) == 8 ? load<i64>(load<u32>(out)) : 0;
}

export function defineMetric(kind: i32, name: string): i32 {
  const text = new Text(name);
  return defineMetricAt(kind, text.at, text.length);
}

export function defineMetricAt(kind: i32, at: usize, length: i32): i32 {
  hostDefineMetric(kind, at, length, out);
  return load<i32>(out);
}

export function removeHeader(name: Text): void {
  hostRemoveHeader(0, name.at, name.length);
}

export function monotonicNs(): i64 {
  hostClock(1, 0, out);
  return load<i64>(out);
}

export function abort(message: usize, file: usize, line: u32, column: u32): void {
  unreachable();
}
