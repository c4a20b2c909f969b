// One xDS stream: the pure state machine between a gRPC call and the server's content.
import { status as grpcStatus, type ServerDuplexStream } from "@grpc/grpc-js";
import type { EncodedMap, EncodedResource, EncodedResources } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { Admission, Proxy, ProxyIdentity } from "./node.ts";
import type { Node } from "../../protos/build/envoy.ts";
import { type ContentMaps, isQuestion, type SendEffect, type StreamEffect, type StreamEvent, type StreamKind } from "./stream-events.ts";
import { newStreamState, type StreamState, step } from "./stream-state.ts";
import { type DecodedRequest, decodeRequest, type ResponseEncoder, type UnwrittenResponse, wrapAny } from "./wire.ts";
import type { WriteBudget } from "./write-budget.ts";

export type Call = ServerDuplexStream<Uint8Array, UnwrittenResponse>;

/** What a stream needs from the server around it. */
export interface StreamHost {
  readonly nowMs: () => number;
  /** A client that does not read for so long is dropped. */
  readonly stallMs: number;
  readonly budget: WriteBudget;
  readonly responses: ResponseEncoder;
  /** The proxy has said who it is; its content is asked for from now on. */
  admitted(stream: XdsStream): void;
  sent(stream: XdsStream, effect: SendEffect, bytes: number): void;
  accepted(stream: XdsStream, resources: Iterable<EncodedResource>): void;
  settled(stream: XdsStream, kind: ResourceKind, basis: EncodedMap): void;
  refused(stream: XdsStream, resource: EncodedResource, reason: string): void;
  rejected(stream: XdsStream, typeUrl: string, reason: string): void;
  stale(stream: XdsStream, typeUrl: string): void;
  /** Finds the contents that a proxy cannot load; none when that cannot be told. Never rejects. */
  examine(resources: readonly EncodedResource[], reason: string): Promise<readonly EncodedResource[]>;
  /** Answers a question about the control plane. */
  answer(typeUrl: string, names: readonly string[], asker: ProxyIdentity | undefined): Promise<Answer>;
  /** A bug of ours showed while this stream was served. */
  failed(stream: XdsStream, error: unknown): void;
  closed(stream: XdsStream): void;
}

/** The resources that answer a question (the bytes of an Any each), or why it is not answered. */
export type Answer =
  | { readonly kind: "answer"; readonly resources: readonly { readonly name: string; readonly bytes: Uint8Array }[] }
  | { readonly kind: "refused"; readonly code: grpcStatus; readonly message: string };

/** Who may be at the other end, as the port that the call came by knows it. */
export interface Caller {
  /** Proven by a credential; undefined on the plaintext port. */
  readonly identity: ProxyIdentity | undefined;
  readonly admit: (node: Node | undefined) => Admission;
  readonly without: readonly ResourceKind[];
}

export interface XdsStream {
  /** Unique among the server's streams. */
  readonly id: string;
  readonly peer: string;
  readonly kind: StreamKind;
  /** Undefined before the first request. */
  readonly proxy: Proxy | undefined;
  readonly connectedAtMs: number;
  state(): StreamState;
  /** What the class publishes, before quarantine; undefined while the proxy is unknown to the mesh. */
  published: EncodedResources | undefined;
  /** When the change was announced that this stream has not wholly acknowledged yet, and when something was sent last. */
  changedAtMs: number | undefined;
  sentAtMs: number | undefined;
  /** The state of the mesh that `published` was made from or found unchanged in. */
  revision: number;
  setContent(maps: ContentMaps): void;
  end(code: grpcStatus, details: string): void;
}

/** How long endpoints of a cluster just sent are waited for before what refers to the cluster is sent all the same. */
const ENDPOINTS_PATIENCE_MS = 2_000;
/** Smaller writes are not worth being counted. */
const COUNTED_BYTES = 32 * 1024;
/** After this time a write no longer counts against what all may have on their way: a client that stopped reading holds up itself only. */
const BUDGET_PATIENCE_MS = 500;

let streamCount = 0;

/** Serves a call from here on. */
export function serveStream(call: Call, kind: StreamKind, caller: Caller, host: StreamHost): XdsStream {
  const streamKind = { ...kind, without: caller.without };
  let state = newStreamState(streamKind);
  let proxy: Proxy | undefined;
  let isOver = false;
  const writing = { unwritten: 0, stopWaiting: undefined as (() => void) | undefined };
  const timers: { patience?: NodeJS.Timeout; stall?: NodeJS.Timeout } = {};

  const stream: XdsStream = {
    id: `${++streamCount}`,
    peer: call.getPeer(),
    kind: streamKind,
    get proxy() { return proxy; },
    connectedAtMs: host.nowMs(),
    state: () => state,
    published: undefined,
    changedAtMs: undefined,
    sentAtMs: undefined,
    revision: 0,
    setContent(maps) {
      const before = state.content;
      if (before !== undefined && Object.keys(maps).every((of) => before[of as ResourceKind] === maps[of as ResourceKind])) return;
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
    writing.stopWaiting?.();
    host.closed(stream);
  };

  const apply = (event: StreamEvent): void => {
    if (isOver) return;
    const wantsToWrite = event.kind === "pressure" ? !event.isFull : !state.isFull;
    if (wantsToWrite && !host.budget.hasRoom()) waitForRoom();
    const result = step(state, event.kind === "pressure" && writing.stopWaiting !== undefined ? { ...event, isFull: true } : event);
    state = result.state;
    for (const effect of result.effects) carryOut(effect);
  };

  const waitForRoom = (): void => {
    state = step(state, { kind: "pressure", isFull: true, nowMs: host.nowMs() }).state;
    writing.stopWaiting ??= host.budget.whenRoom(() => {
      writing.stopWaiting = undefined;
      if (writing.unwritten === 0) apply({ kind: "pressure", isFull: false, nowMs: host.nowMs() });
    });
  };

  const carryOut = (effect: StreamEffect): void => {
    switch (effect.kind) {
      case "send": return send(effect);
      case "accepted": return host.accepted(stream, effect.resources);
      case "settled": return host.settled(stream, effect.resourceKind, effect.basis);
      case "refused": return host.refused(stream, effect.resource, effect.reason);
      case "rejected": return host.rejected(stream, effect.typeUrl, effect.reason);
      case "stale": return host.stale(stream, effect.typeUrl);
      case "close": return stream.end(grpcStatus.INVALID_ARGUMENT, effect.message);
      case "examine": return void examine(effect);
      case "ask": return void ask(effect);
      case "wait":
        timers.patience ??= setTimeout(() => {
          delete timers.patience;
          apply({ kind: "waited", nowMs: host.nowMs() });
        }, ENDPOINTS_PATIENCE_MS);
    }
  };

  const examine = async ({ typeUrl, resources, reason }: Extract<StreamEffect, { kind: "examine" }>): Promise<void> => {
    const culprits = await host.examine(resources, reason);
    apply({ kind: "verdict", typeUrl, verdict: { unclear: resources, culprits }, reason, nowMs: host.nowMs() });
  };

  const ask = async ({ typeUrl, names }: Extract<StreamEffect, { kind: "ask" }>): Promise<void> => {
    const answer = await host.answer(typeUrl, names, caller.identity);
    if (answer.kind === "refused") return stream.end(answer.code, answer.message);
    apply({ kind: "told", typeUrl, resources: answer.resources.map(wrapAny), nowMs: host.nowMs() });
  };

  /** Until the transport has taken a response, changes merge in the state instead of queueing up. */
  const send = (effect: SendEffect): void => {
    const response = host.responses.encodeResponse(kind.dialect, effect);
    if (writing.unwritten++ === 0) timers.stall = setTimeout(() => stream.end(grpcStatus.RESOURCE_EXHAUSTED, "the stream is not read"), host.stallMs);
    const giveBack = lend(host.budget, response.length);
    state = step(state, { kind: "pressure", isFull: true, nowMs: host.nowMs() }).state;
    host.sent(stream, effect, response.length);
    call.write(response, () => {
      writing.unwritten--;
      giveBack();
      if (writing.unwritten > 0) return;
      clearTimeout(timers.stall);
      apply({ kind: "pressure", isFull: false, nowMs: host.nowMs() });
    });
  };

  const receive = ({ request, node }: DecodedRequest): void => {
    if (isOver) return;
    if (proxy === undefined && isQuestion(request.typeUrl)) return apply({ kind: "request", request, nowMs: host.nowMs() });
    if (proxy === undefined) {
      const admission = caller.admit(node);
      if (admission.kind === "refused") return stream.end(grpcStatus.PERMISSION_DENIED, admission.reason);
      proxy = admission.proxy;
      apply({ kind: "request", request, nowMs: host.nowMs() });
      return host.admitted(stream);
    }
    if (node?.id !== undefined && node.id !== proxy.node.id) return stream.end(grpcStatus.INVALID_ARGUMENT, "the node of a stream does not change");
    apply({ kind: "request", request, nowMs: host.nowMs() });
  };

  call.on("data", (bytes: Uint8Array) => {
    const decoded = decodeRequest(kind.dialect, bytes);
    if (decoded === undefined) return stream.end(grpcStatus.INVALID_ARGUMENT, `not a ${kind.dialect === "delta" ? "DeltaDiscoveryRequest" : "DiscoveryRequest"}`);
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

/** Takes bytes from the budget; what is returned gives them back, once, and so does time. */
function lend(budget: WriteBudget, bytes: number): () => void {
  if (bytes < COUNTED_BYTES) return () => undefined;
  let isLent = true;
  budget.take(bytes);
  const giveBack = (): void => {
    if (!isLent) return;
    isLent = false;
    clearTimeout(timer);
    budget.give(bytes);
  };
  const timer = setTimeout(giveBack, BUDGET_PATIENCE_MS);
  return giveBack;
}
