// The module's exports, one per ABI callback. A filter's index.ts re-exports those it implements, and only those: each
// one it exports costs an entry into the VM. Needed by every filter: proxy_abi_version_0_2_1, malloc,
// proxy_on_context_create, proxy_on_configure, proxy_on_delete.

import { abort } from "./abi/abort";
import { allocate } from "./abi/arena";
import { proxy_set_effective_context } from "./abi/imports";
import { note } from "./abi/status";
import { BufferType, readBuffer } from "./buffers";
import { collectLater, enter, enterEnd, leave } from "./callbacks";
import { callerOf, takeCaller } from "./callouts";
import { closeRoot, closeStreamObject, findRoot, findStream, openRoot, openStream } from "./contexts";
import { HttpContext } from "./http-context";
import { NetworkContext } from "./network-context";
import { StreamContext } from "./stream-context";

export { abort };

/** Tells the host which ABI this is. */
export function proxy_abi_version_0_2_1(): void {}

/** Memory for what the host returns: valid until the outermost callback ends. */
export function malloc(size: usize): usize {
  return allocate(size);
}

/** As `malloc`, under the ABI's other name. */
export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

export function proxy_on_context_create(id: u32, parent: u32): void {
  enter("context_create", id);
  if (parent == 0) {
    openRoot(id);
  } else {
    const root = findRoot(parent);
    if (root !== null) openStream(id, root);
  }
  leave();
}

export function proxy_on_vm_start(id: u32, size: u32): u32 {
  const root = findRoot(id);
  if (root === null) return 1;
  enter("vm_start", id);
  const ok = root.onVmStart(readBuffer(BufferType.VmConfiguration, 0, size));
  leave();
  return ok ? 1 : 0;
}

export function proxy_on_configure(id: u32, size: u32): u32 {
  const root = findRoot(id);
  if (root === null) return 0;
  enter("configure", id);
  const ok = root.onConfigure(readBuffer(BufferType.PluginConfiguration, 0, size));
  collectLater();
  leave();
  return ok ? 1 : 0;
}

export function proxy_on_tick(id: u32): void {
  const root = findRoot(id);
  if (root === null) return;
  enter("tick", id);
  root.onTick();
  leave();
}

export function proxy_on_queue_ready(id: u32, queue: u32): void {
  const root = findRoot(id);
  if (root === null) return;
  enter("queue_ready", id);
  root.onQueueReady(queue);
  leave();
}

// A stream is known from its context_create on; an unknown id is a bug of the host, and trapping fails closed. No check
// of its class: a root makes objects of one kind, and the host calls a root of connections for connections only.
// @ts-ignore: decorator
@inline
function streamOf(id: u32): HttpContext {
  return changetype<HttpContext>(findStream(id)!);
}

export function proxy_on_request_headers(id: u32, headers: u32, endOfStream: u32): u32 {
  enter("request_headers", id);
  const status = streamOf(id).onRequestHeaders(headers, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_request_body(id: u32, size: u32, endOfStream: u32): u32 {
  enter("request_body", id);
  const status = streamOf(id).onRequestBody(size, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_request_trailers(id: u32, trailers: u32): u32 {
  enter("request_trailers", id);
  const status = streamOf(id).onRequestTrailers(trailers);
  leave();
  return status;
}

export function proxy_on_response_headers(id: u32, headers: u32, endOfStream: u32): u32 {
  enterEnd("response_headers", id);
  const status = streamOf(id).onResponseHeaders(headers, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_response_body(id: u32, size: u32, endOfStream: u32): u32 {
  enter("response_body", id);
  const status = streamOf(id).onResponseBody(size, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_response_trailers(id: u32, trailers: u32): u32 {
  enter("response_trailers", id);
  const status = streamOf(id).onResponseTrailers(trailers);
  leave();
  return status;
}

/** Also announces roots to be logged; those are ignored. */
export function proxy_on_log(id: u32): void {
  enterEnd("log", id);
  const stream = findStream(id);
  if (stream !== null) stream.onLog();
  leave();
}

/**
 * The stream that is to hear of a callout, made the effective context; null if it is gone: what comes too late is
 * dropped.
 */
function listening(caller: u32): StreamContext | null {
  const stream = findStream(caller);
  return stream !== null && note(proxy_set_effective_context(caller)) == 0 ? stream : null;
}

export function proxy_on_http_call_response(rootId: u32, token: u32, headers: u32, bodySize: u32, trailers: u32): void {
  enter("http_call_response", rootId);
  const caller = takeCaller(token);
  if (caller == 0) {
    const root = findRoot(rootId);
    if (root !== null) root.onHttpCallResponse(token, headers, bodySize, trailers);
  } else {
    const stream = listening(caller);
    if (stream !== null) stream.onHttpCallResponse(token, headers, bodySize, trailers);
  }
  leave();
}

export function proxy_on_grpc_receive_initial_metadata(rootId: u32, token: u32, headers: u32): void {
  enter("grpc_receive_initial_metadata", rootId);
  const caller = callerOf(token);
  if (caller == 0) {
    const root = findRoot(rootId);
    if (root !== null) root.onGrpcInitialMetadata(token, headers);
  } else {
    const stream = listening(caller);
    if (stream !== null) stream.onGrpcInitialMetadata(token, headers);
  }
  leave();
}

/** A message; the two low bits of a token are 1 for a call, whose only message it is. */
export function proxy_on_grpc_receive(rootId: u32, token: u32, size: u32): void {
  enter("grpc_receive", rootId);
  const caller = (token & 3) == 1 ? takeCaller(token) : callerOf(token);
  if (caller == 0) {
    const root = findRoot(rootId);
    if (root !== null) root.onGrpcMessage(token, size);
  } else {
    const stream = listening(caller);
    if (stream !== null) stream.onGrpcMessage(token, size);
  }
  leave();
}

export function proxy_on_grpc_receive_trailing_metadata(rootId: u32, token: u32, trailers: u32): void {
  enter("grpc_receive_trailing_metadata", rootId);
  const caller = callerOf(token);
  if (caller == 0) {
    const root = findRoot(rootId);
    if (root !== null) root.onGrpcTrailingMetadata(token, trailers);
  } else {
    const stream = listening(caller);
    if (stream !== null) stream.onGrpcTrailingMetadata(token, trailers);
  }
  leave();
}

export function proxy_on_grpc_close(rootId: u32, token: u32, status: u32): void {
  enter("grpc_close", rootId);
  const caller = takeCaller(token);
  if (caller == 0) {
    const root = findRoot(rootId);
    if (root !== null) root.onGrpcClose(token, status);
  } else {
    const stream = listening(caller);
    if (stream !== null) stream.onGrpcClose(token, status);
  }
  leave();
}

// A connection's last callbacks can come after its delete (upstream ends later than the client): those are dropped.
// @ts-ignore: decorator
@inline
function connectionOf(id: u32): NetworkContext | null {
  return changetype<NetworkContext | null>(findStream(id));
}

export function proxy_on_new_connection(id: u32): u32 {
  const connection = connectionOf(id);
  if (connection === null) return 0;
  enter("new_connection", id);
  const status = connection.onNewConnection();
  leave();
  return status;
}

export function proxy_on_downstream_data(id: u32, size: u32, endOfStream: u32): u32 {
  const connection = connectionOf(id);
  if (connection === null) return 0;
  enter("downstream_data", id);
  const status = connection.onDownstreamData(size, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_upstream_data(id: u32, size: u32, endOfStream: u32): u32 {
  const connection = connectionOf(id);
  if (connection === null) return 0;
  enter("upstream_data", id);
  const status = connection.onUpstreamData(size, endOfStream != 0);
  leave();
  return status;
}

export function proxy_on_downstream_connection_close(id: u32, peer: u32): void {
  const connection = connectionOf(id);
  if (connection === null) return;
  enter("downstream_connection_close", id);
  connection.onDownstreamClose(peer);
  leave();
}

export function proxy_on_upstream_connection_close(id: u32, peer: u32): void {
  const connection = connectionOf(id);
  if (connection === null) return;
  enter("upstream_connection_close", id);
  connection.onUpstreamClose(peer);
  leave();
}

export function proxy_on_done(id: u32): u32 {
  const root = findRoot(id);
  if (root === null) return 1;
  enter("done", id);
  const done = root.onDone();
  leave();
  return done ? 1 : 0;
}

export function proxy_on_delete(id: u32): void {
  enter("delete", id);
  if (closeRoot(id)) collectLater();
  else closeStreamObject(id);
  leave();
}
