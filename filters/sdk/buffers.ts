import { out } from "./abi/arena";
import { proxy_get_buffer_bytes, proxy_get_buffer_status, proxy_set_buffer_bytes } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";

/** Which buffer, as the ABI numbers them. */
export const enum BufferType {
  HttpRequestBody = 0,
  HttpResponseBody = 1,
  DownstreamData = 2,
  UpstreamData = 3,
  HttpCallResponseBody = 4,
  GrpcReceiveBuffer = 5,
  VmConfiguration = 6,
  PluginConfiguration = 7,
}

/** Bytes `start` up to `start + length` of a buffer; empty if there is none there (see `lastStatus`). */
export function readBuffer(type: BufferType, start: u32, length: u32): Bytes {
  store<u64>(out, 0);
  if (note(proxy_get_buffer_bytes(type, start, length, out, out + 4)) != Status.Ok) return EMPTY;
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}

/** How many bytes a buffer holds now, 0 if there is none (see `lastStatus`). */
export function bufferLength(type: BufferType): u32 {
  return note(proxy_get_buffer_status(type, out, out + 4)) == Status.Ok ? load<u32>(out) : 0;
}

/**
 * Replaces bytes `start` up to `start + length` by `data`: `(0, 0, x)` prepends, `(0, n, x)` replaces the first n,
 * `(size, 0, x)` appends; Envoy refuses what begins between.
 */
export function writeBuffer(type: BufferType, start: u32, length: u32, data: Bytes): Status {
  return note(proxy_set_buffer_bytes(type, start, length, data.ptr, data.length));
}
