// One ADS stream: the pure state machine between a gRPC call and the server's content.
import { status as grpcStatus, type ServerDuplexStream } from "@grpc/grpc-js";
import type { EncodedMap, EncodedResource, EncodedResources } from "../snapshot/encode.ts";
import { admitNode, type Proxy, type ProxyIdentity } from "./node.ts";
import { type ContentMaps, newStreamState, type StreamEffect, type StreamEvent, type StreamState, step } from "./stream-state.ts";
import { type DecodedRequest, decodeRequest, encodeResponse } from "./wire.ts";

export type Call = ServerDuplexStream<Uint8Array, Uint8Array>;

/** What a stream needs from the server around it. */
export interface StreamHost {
  readonly nowMs: () => number;
  /** A client that does not read for so long is dropped. */
  readonly stallMs: number;
  /** The proxy has said who it is; its content is asked for from now on. */
  admitted(stream: AdsStream): void;
  accepted(stream: AdsStream, resources: Iterable<EncodedResource>): void;
  refused(stream: AdsStream, resource: EncodedResource, reason: string): void;
  rejected(stream: AdsStream, typeUrl: string, reason: string): void;
  /** A bug of ours showed while this stream was served. */
  failed(stream: AdsStream, error: unknown): void;
  closed(stream: AdsStream): void;
}

export interface AdsStream {
  /** Undefined before the first request. */
  readonly proxy: Proxy | undefined;
  readonly connectedAtMs: number;
  state(): StreamState;
  /** What the class publishes, before quarantine; undefined while the proxy is unknown to the mesh. */
  published: EncodedResources | undefined;
  setContent(served: EncodedResources, secrets: EncodedMap): void;
  end(code: grpcStatus, details: string): void;
}

/** How long endpoints of a cluster just sent are waited for before what refers to the cluster is sent all the same. */
const ENDPOINTS_PATIENCE_MS = 2_000;

/** Serves a call from here on. */
export function serveStream(call: Call, identity: ProxyIdentity, host: StreamHost): AdsStream {
  let state = newStreamState();
  let proxy: Proxy | undefined;
  let content: { served: EncodedResources; secrets: EncodedMap } | undefined;
  let isOver = false;
  let unwritten = 0;
  const timers: { patience?: NodeJS.Timeout; stall?: NodeJS.Timeout } = {};

  const stream: AdsStream = {
    get proxy() { return proxy; },
    connectedAtMs: host.nowMs(),
    state: () => state,
    published: undefined,
    setContent(served, secrets) {
      if (content?.served === served && content.secrets === secrets) return;
      content = { served, secrets };
      const maps: ContentMaps = { ...served.maps, secrets };
      apply({ kind: "content", maps, nowMs: host.nowMs() });
    },
    end(code, details) {
      if (!isOver) call.emit("error", { code, details });
      finish();
    },
  };

  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timers.patience);
    clearTimeout(timers.stall);
    host.closed(stream);
  };

  const apply = (event: StreamEvent): void => {
    if (isOver) return;
    const result = step(state, event);
    state = result.state;
    for (const effect of result.effects) carryOut(effect);
  };

  const carryOut = (effect: StreamEffect): void => {
    switch (effect.kind) {
      case "send": return write(encodeResponse(effect));
      case "accepted": return host.accepted(stream, effect.resources);
      case "refused": return host.refused(stream, effect.resource, effect.reason);
      case "rejected": return host.rejected(stream, effect.typeUrl, effect.reason);
      case "close": return stream.end(grpcStatus.INVALID_ARGUMENT, effect.message);
      case "wait":
        timers.patience ??= setTimeout(() => {
          delete timers.patience;
          apply({ kind: "waited", nowMs: host.nowMs() });
        }, ENDPOINTS_PATIENCE_MS);
    }
  };

  /** Until the transport has taken a response, changes merge in the state instead of queueing up. */
  const write = (bytes: Uint8Array): void => {
    unwritten++;
    if (unwritten === 1) timers.stall = setTimeout(() => stream.end(grpcStatus.RESOURCE_EXHAUSTED, "the stream is not read"), host.stallMs);
    apply({ kind: "pressure", isFull: true, nowMs: host.nowMs() });
    call.write(bytes, () => {
      unwritten--;
      if (unwritten > 0) return;
      clearTimeout(timers.stall);
      apply({ kind: "pressure", isFull: false, nowMs: host.nowMs() });
    });
  };

  const receive = ({ request, node }: DecodedRequest): void => {
    if (isOver) return;
    if (proxy === undefined) {
      const admission = admitNode(identity, node);
      if (admission.kind === "refused") return stream.end(grpcStatus.PERMISSION_DENIED, admission.reason);
      proxy = admission.proxy;
      apply({ kind: "request", request, nowMs: host.nowMs() });
      return host.admitted(stream);
    }
    if (node?.id !== undefined && node.id !== proxy.node.id) return stream.end(grpcStatus.INVALID_ARGUMENT, "the node of a stream does not change");
    apply({ kind: "request", request, nowMs: host.nowMs() });
  };

  call.on("data", (bytes: Uint8Array) => {
    const decoded = decodeRequest(bytes);
    if (decoded === undefined) return stream.end(grpcStatus.INVALID_ARGUMENT, "not a DeltaDiscoveryRequest");
    try {
      receive(decoded);
    } catch (error) {
      // One proxy's content that cannot be made must not take the others' server down.
      host.failed(stream, error);
      stream.end(grpcStatus.INTERNAL, "internal error");
    }
  });
  call.on("end", () => {
    if (!isOver) call.end();
    finish();
  });
  call.on("cancelled", finish);
  call.on("close", finish);
  call.on("error", finish);
  return stream;
}
