// One xDS stream: the pure state machine between a gRPC call and the server's content.
import { status as grpcStatus, type ServerDuplexStream } from "@grpc/grpc-js";
import type { EncodedMap, EncodedResource, EncodedResources } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { Admission, Proxy, ProxyIdentity } from "./node.ts";
import type { Node } from "../../protos/build/envoy.ts";
import {
  type ContentMaps,
  isQuestion,
  type SendEffect,
  type StreamEffect,
  type StreamEvent,
  type StreamKind,
} from "./stream-events.ts";
import { isQuiet } from "./status.ts";
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
  /**
   * When the change was announced that this stream has not wholly acknowledged yet, and when something was sent last;
   * by the clock that never goes back.
   */
  changedAtMs: number | undefined;
  sentAtMs: number | undefined;
  /** The state of the mesh that `published` was made from or found unchanged in. */
  revision: number;
  setContent(maps: ContentMaps): void;
  /** Its client took these clusters on another stream, and now waits for their endpoints. */
  warm(clusters: readonly EncodedResource[]): void;
  end(code: grpcStatus, details: string): void;
}

/** How long endpoints of a cluster just sent are waited for before what refers to the cluster is sent all the same. */
const ENDPOINTS_PATIENCE_MS = 2_000;
/** Smaller writes are not worth being counted. */
const COUNTED_BYTES = 32 * 1024;
/**
 * After this time a write no longer counts against what all may have on their way: a client that stopped reading holds
 * up itself only.
 */
const BUDGET_PATIENCE_MS = 500;

let streamCount = 0;

/** Serves a call from here on. */
export function serveStream(call: Call, kind: StreamKind, caller: Caller, host: StreamHost): XdsStream {
  return new LiveStream(call, { ...kind, without: caller.without }, caller, host);
}

interface Unsent {
  readonly effect: SendEffect;
  readonly response: UnwrittenResponse;
}

class LiveStream implements XdsStream {
  readonly id = `${++streamCount}`;
  readonly peer: string;
  readonly kind: StreamKind;
  readonly connectedAtMs: number;
  proxy: Proxy | undefined;
  published: EncodedResources | undefined;
  changedAtMs: number | undefined;
  sentAtMs: number | undefined;
  revision = 0;
  readonly #call: Call;
  readonly #caller: Caller;
  readonly #host: StreamHost;
  #state: StreamState;
  #isOver = false;
  #hadAll = false;
  /** Responses that the transport has not taken, or was not given yet. */
  #unwritten = 0;
  readonly #outbox: Unsent[] = [];
  #stopWaiting: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;
  #stall: NodeJS.Timeout | undefined;

  constructor(call: Call, kind: StreamKind, caller: Caller, host: StreamHost) {
    this.#call = call;
    this.#caller = caller;
    this.#host = host;
    this.#state = newStreamState(kind);
    this.kind = kind;
    this.peer = call.getPeer();
    this.connectedAtMs = host.nowMs();
    call.on("data", (bytes: Uint8Array) => this.#read(bytes));
    call.on("end", () => {
      if (!this.#isOver) call.end();
      this.#finish();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => this.#finish());
  }

  state(): StreamState {
    return this.#state;
  }

  setContent(maps: ContentMaps): void {
    const before = this.#state.content;
    if (
      before !== undefined &&
      Object.keys(maps).every((of) => before[of as ResourceKind] === maps[of as ResourceKind])
    )
      return;
    this.#apply({ kind: "content", maps, nowMs: this.#host.nowMs() });
  }

  warm(clusters: readonly EncodedResource[]): void {
    this.#apply({ kind: "warming", clusters, nowMs: this.#host.nowMs() });
  }

  end(code: grpcStatus, details: string): void {
    if (!this.#isOver) this.#call.emit("error", { code, details });
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#patience);
    clearTimeout(this.#stall);
    this.#stopWaiting?.();
    this.#host.closed(this);
  }

  #read(bytes: Uint8Array): void {
    const { dialect } = this.kind;
    const decoded = decodeRequest(dialect, bytes);
    if (decoded === undefined)
      return this.end(
        grpcStatus.INVALID_ARGUMENT,
        `not a ${dialect === "delta" ? "DeltaDiscoveryRequest" : "DiscoveryRequest"}`,
      );
    try {
      this.#receive(decoded);
    } catch (error) {
      // One proxy's content that cannot be made must not take the others' server down.
      this.#host.failed(this, error);
      this.end(grpcStatus.INTERNAL, "internal error");
    }
  }

  #receive({ request, node }: DecodedRequest): void {
    if (this.#isOver) return;
    const event = { kind: "request", request, nowMs: this.#host.nowMs() } as const;
    if (this.proxy !== undefined) {
      if (node?.id !== undefined && node.id !== this.proxy.node.id)
        return this.end(grpcStatus.INVALID_ARGUMENT, "the node of a stream does not change");
      return this.#apply(event);
    }
    if (isQuestion(request.typeUrl)) return this.#apply(event);
    const admission = this.#caller.admit(node);
    if (admission.kind === "refused") return this.end(grpcStatus.PERMISSION_DENIED, admission.reason);
    this.proxy = admission.proxy;
    this.#apply(event);
    if (!this.#isOver) this.#host.admitted(this);
  }

  #apply(event: StreamEvent): void {
    if (this.#isOver) return;
    const wantsToWrite = event.kind === "pressure" ? !event.isFull : !this.#state.isFull;
    // Only who comes with nothing wants much: those that have had everything once wait for nobody's reading but their
    // own.
    if (wantsToWrite && !this.#hadAll && !this.#host.budget.hasRoom()) this.#waitForRoom();
    const result = step(
      this.#state,
      event.kind === "pressure" && this.#stopWaiting !== undefined ? { ...event, isFull: true } : event,
    );
    this.#state = result.state;
    for (const effect of result.effects) this.#carryOut(effect);
  }

  #setFull(isFull: boolean): void {
    this.#apply({ kind: "pressure", isFull, nowMs: this.#host.nowMs() });
  }

  #waitForRoom(): void {
    this.#state = step(this.#state, { kind: "pressure", isFull: true, nowMs: this.#host.nowMs() }).state;
    this.#standInLine();
  }

  #standInLine(): void {
    this.#stopWaiting ??= this.#host.budget.whenRoom(() => {
      this.#stopWaiting = undefined;
      this.#writeOutbox();
      if (this.#unwritten === 0) this.#setFull(false);
    });
  }

  #carryOut(effect: StreamEffect): void {
    const host = this.#host;
    switch (effect.kind) {
      case "send":
        return this.#send(effect);
      case "accepted":
        return host.accepted(this, effect.resources);
      case "settled":
        this.#hadAll ||= isQuiet(this.#state);
        return host.settled(this, effect.resourceKind, effect.basis);
      case "refused":
        return host.refused(this, effect.resource, effect.reason);
      case "rejected":
        return host.rejected(this, effect.typeUrl, effect.reason);
      case "stale":
        return host.stale(this, effect.typeUrl);
      case "close":
        return this.end(grpcStatus.INVALID_ARGUMENT, effect.message);
      case "examine":
        return void this.#examine(effect);
      case "ask":
        return void this.#ask(effect);
      case "wait":
        this.#patience ??= setTimeout(() => {
          this.#patience = undefined;
          this.#apply({ kind: "waited", nowMs: host.nowMs() });
        }, ENDPOINTS_PATIENCE_MS);
    }
  }

  async #examine({ typeUrl, resources, reason }: Extract<StreamEffect, { kind: "examine" }>): Promise<void> {
    const culprits = await this.#host.examine(resources, reason);
    this.#apply({
      kind: "verdict",
      typeUrl,
      verdict: { unclear: resources, culprits },
      reason,
      nowMs: this.#host.nowMs(),
    });
  }

  async #ask({ typeUrl, names }: Extract<StreamEffect, { kind: "ask" }>): Promise<void> {
    const answer = await this.#host.answer(typeUrl, names, this.#caller.identity);
    if (answer.kind === "refused") return this.end(answer.code, answer.message);
    this.#apply({ kind: "told", typeUrl, resources: answer.resources.map(wrapAny), nowMs: this.#host.nowMs() });
  }

  /** Until the transport has taken a response, changes merge in the state instead of queueing up. */
  #send(effect: SendEffect): void {
    const { responses, nowMs } = this.#host;
    this.#unwritten++;
    this.#state = step(this.#state, { kind: "pressure", isFull: true, nowMs: nowMs() }).state;
    this.#outbox.push({ effect, response: responses.encodeResponse(this.kind.dialect, effect) });
    this.#writeOutbox();
  }

  /**
   * In order. A large response waits for room in the budget, also that of a stream which had everything once: a change
   * of everything is large for all of them.
   */
  #writeOutbox(): void {
    for (let next = this.#outbox[0]; next !== undefined && !this.#isOver; next = this.#outbox[0]) {
      if (next.response.byteLength >= COUNTED_BYTES && !this.#host.budget.hasRoom()) return this.#standInLine();
      this.#outbox.shift();
      this.#write(next);
    }
  }

  #write({ effect, response }: Unsent): void {
    const { budget, stallMs } = this.#host;
    this.#stall ??= setTimeout(() => this.end(grpcStatus.RESOURCE_EXHAUSTED, "the stream is not read"), stallMs);
    const giveBack = lend(budget, response.byteLength);
    this.#host.sent(this, effect, response.byteLength);
    this.#call.write(response, () => {
      this.#unwritten--;
      giveBack();
      // What waits for room is not for the client to read.
      if (this.#unwritten > this.#outbox.length) return;
      clearTimeout(this.#stall);
      this.#stall = undefined;
      if (this.#unwritten === 0) this.#setFull(false);
    });
  }
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
