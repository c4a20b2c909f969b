import { allocate, out } from "./abi/arena";
import {
  proxy_get_status,
  proxy_grpc_call,
  proxy_grpc_cancel,
  proxy_grpc_close,
  proxy_grpc_send,
  proxy_grpc_stream,
} from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { rememberCaller, takeCaller } from "./callouts";
import { HeaderMap, MapType } from "./headers";

/** The first metadata of a gRPC stream's answers: readable in `onGrpcInitialMetadata`. */
export const grpcInitialMetadata = new HeaderMap(MapType.GrpcReceiveInitialMetadata);
/** The last metadata of a gRPC stream: readable in `onGrpcTrailingMetadata`. */
export const grpcTrailingMetadata = new HeaderMap(MapType.GrpcReceiveTrailingMetadata);

// The host takes an encoded envoy.config.core.v3.GrpcService, or else a cluster's name. Names that happen to be valid
// protobuf ("inventory" is) would be misread, so the message is always written: field 1 (envoy_grpc) holding field 1
// (cluster_name) and, if it differs, field 2 (authority).
function encodeService(cluster: Bytes, authority: Bytes): Bytes {
  const inner = fieldSize(cluster) + (authority.length > 0 ? fieldSize(authority) : 0);
  const base = allocate(1 + varintSize(inner) + inner);
  store<u8>(base, 0x0a);
  let at = putField(putVarint(base + 1, inner), 0x0a, cluster);
  if (authority.length > 0) at = putField(at, 0x12, authority);
  return Bytes.view(base, <i32>(at - base));
}

function fieldSize(value: Bytes): i32 {
  return 1 + varintSize(value.length) + value.length;
}

function putField(at: usize, tag: u8, value: Bytes): usize {
  store<u8>(at, tag);
  at = putVarint(at + 1, value.length);
  memory.copy(at, value.ptr, value.length);
  return at + value.length;
}

function varintSize(value: u32): i32 {
  let size = 1;
  for (; value > 127; value >>= 7) size++;
  return size;
}

function putVarint(at: usize, value: u32): usize {
  for (; value > 127; value >>= 7) store<u8>(at++, <u8>(value | 0x80));
  store<u8>(at, <u8>value);
  return at + 1;
}

/**
 * Makes a unary gRPC call. The answer comes as `onGrpcMessage` of stream `from` (its `id`), or of the root if `from` is
 * 0; a failure, also an unreachable host or a timeout, as `onGrpcClose`. Exactly one of the two comes, unless the call
 * is cancelled.
 * @param cluster name of an Envoy cluster (HTTP/2)
 * @param service full name, as `echo.v1.Echo`
 * @param message the request, encoded
 * @param timeoutMilliseconds 0: none
 * @param metadata pairs from a `PairsWriter`
 * @param authority what the service is called in `:authority`, default the cluster's name: needed where that is no name
 * a server takes (`outbound|80||a.b`)
 * @returns the call's token, 0 if the host refused it (see `lastStatus`)
 */
export function grpcCall(
  from: u32,
  cluster: Bytes,
  service: Bytes,
  method: Bytes,
  message: Bytes,
  timeoutMilliseconds: u32,
  metadata: Bytes = EMPTY,
  authority: Bytes = EMPTY,
): u32 {
  const target = encodeService(cluster, authority);
  const status = note(
    proxy_grpc_call(
      target.ptr,
      target.length,
      service.ptr,
      service.length,
      method.ptr,
      method.length,
      metadata.ptr,
      metadata.length,
      message.ptr,
      message.length,
      timeoutMilliseconds,
      out,
    ),
  );
  return status == Status.Ok ? remembered(from) : 0;
}

/**
 * Opens a gRPC stream; messages come as `onGrpcMessage`, the end as `onGrpcClose`, to stream `from` or to the root if
 * `from` is 0. A stream outlives the HTTP stream that opened it unless `onEnd` cancels it; what comes too late is
 * dropped. `authority`: as for `grpcCall`.
 * @returns the stream's token, 0 if the host refused it (see `lastStatus`)
 */
export function grpcStream(
  from: u32,
  cluster: Bytes,
  service: Bytes,
  method: Bytes,
  metadata: Bytes = EMPTY,
  authority: Bytes = EMPTY,
): u32 {
  const target = encodeService(cluster, authority);
  const status = note(
    proxy_grpc_stream(
      target.ptr,
      target.length,
      service.ptr,
      service.length,
      method.ptr,
      method.length,
      metadata.ptr,
      metadata.length,
      out,
    ),
  );
  return status == Status.Ok ? remembered(from) : 0;
}

function remembered(from: u32): u32 {
  const token = load<u32>(out);
  if (from != 0) rememberCaller(token, from);
  return token;
}

/**
 * Sends a message on a gRPC stream; `endOfStream`: the last one. NotFound if the stream is over, BadArgument for a
 * token of `grpcCall`.
 */
export function grpcSend(token: u32, message: Bytes, endOfStream: bool = false): Status {
  return note(proxy_grpc_send(token, message.ptr, message.length, endOfStream ? 1 : 0));
}

/** Ends our side of a gRPC stream (its answers still come), or cancels a call. NotFound if it is over. */
export function grpcClose(token: u32): Status {
  if ((token & 3) == 1) takeCaller(token);
  return note(proxy_grpc_close(token));
}

/** Gives up a gRPC call or stream: nothing of it comes any more. NotFound if it is over. */
export function grpcCancel(token: u32): Status {
  takeCaller(token);
  return note(proxy_grpc_cancel(token));
}

/** In `onGrpcClose`: the message that came with the status, empty elsewhere. */
export function grpcStatusMessage(): Bytes {
  store<u64>(out, 0);
  if (note(proxy_get_status(out + 8, out, out + 4)) != Status.Ok) return EMPTY;
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}
