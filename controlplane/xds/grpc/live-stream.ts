// One xDS stream: the pure state machine between a gRPC call and the server's content.
import { status as grpcStatus } from "@grpc/grpc-js";
import { isFailed } from "../../model/failure.ts";
import type { EncodedResource, EncodedResources } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import type { Proxy } from "../node.ts";
import { step } from "../state-machine/step.ts";
import {
  type ContentMaps,
  isQuestion,
  type SendEffect,
  type StreamEffect,
  type StreamEvent,
  type StreamKind,
} from "../state-machine/stream-events.ts";
import { newStreamState, type StreamState } from "../state-machine/stream-state.ts";
import { isQuiet } from "../status/type-status.ts";
import type { AnswerProblem, Caller, StreamHost, XdsStream } from "../stream.ts";
import { type Call, Outbox, type OutboxOwner } from "./outbox.ts";
import { type DecodedRequest, decodeRequest, wrapAny } from "./wire.ts";

/** How long endpoints of a cluster just sent are waited for before what refers to the cluster is sent all the same. */
const ENDPOINTS_PATIENCE_MS = 2_000;

const STATUS_OF: Readonly<Record<AnswerProblem, grpcStatus>> = {
  denied: grpcStatus.PERMISSION_DENIED,
  malformed: grpcStatus.INVALID_ARGUMENT,
  busy: grpcStatus.RESOURCE_EXHAUSTED,
  internal: grpcStatus.INTERNAL,
};

let streamCount = 0;

/** Serves a call from here on. */
export function serveStream(call: Call, kind: StreamKind, caller: Caller, host: StreamHost): XdsStream {
  return new LiveStream(call, { ...kind, without: caller.without }, caller, host);
}

class LiveStream implements XdsStream, OutboxOwner {
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
  readonly #outbox: Outbox;
  #state: StreamState;
  #isOver = false;
  #hadAll = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(call: Call, kind: StreamKind, caller: Caller, host: StreamHost) {
    this.#call = call;
    this.#caller = caller;
    this.#host = host;
    this.#outbox = new Outbox(call, host, this);
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

  offerAgain(): void {
    this.#apply({ kind: "again", nowMs: this.#host.nowMs() });
  }

  end(code: grpcStatus, details: string): void {
    if (!this.#isOver) this.#call.emit("error", { code, details });
    this.#finish();
  }

  written(effect: SendEffect, bytes: number): void {
    this.#host.sent(this, effect, bytes);
  }

  drained(): void {
    this.#apply({ kind: "pressure", isFull: false, nowMs: this.#host.nowMs() });
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#patience);
    this.#outbox.close();
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
    const proxy = this.#caller.admit(node);
    if (isFailed(proxy)) return this.end(grpcStatus.PERMISSION_DENIED, proxy.message);
    this.proxy = proxy;
    this.#apply(event);
    if (!this.#isOver) this.#host.admitted(this);
  }

  #apply(event: StreamEvent): void {
    if (this.#isOver) return;
    const wantsToWrite = event.kind === "pressure" ? !event.isFull : !this.#state.isFull;
    // Only who comes with nothing wants much: those that have had everything once wait for nobody's reading but their
    // own.
    if (wantsToWrite && !this.#hadAll && !this.#host.budget.hasRoom()) {
      this.#noteFull();
      this.#outbox.standInLine();
    }
    const result = step(
      this.#state,
      event.kind === "pressure" && this.#outbox.isInLine ? { ...event, isFull: true } : event,
    );
    this.#state = result.state;
    for (const effect of result.effects) this.#carryOut(effect);
  }

  #noteFull(): void {
    this.#state = step(this.#state, { kind: "pressure", isFull: true, nowMs: this.#host.nowMs() }).state;
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
      case "rejected":
        return host.rejected(this, effect.typeUrl, effect.reason, effect.isKnown);
      case "culprit":
        return host.culprit(this, effect.resource, effect.reason);
      case "stale":
        return host.stale(this, effect.typeUrl);
      case "close":
        return this.end(grpcStatus.INVALID_ARGUMENT, effect.message);
      case "examine":
        return void this.#examine(effect);
      case "ask":
        return void this.#ask(effect);
      case "wait":
        return this.#wait();
    }
  }

  /** Until the transport has taken a response, changes merge in the state instead of queueing up. */
  #send(effect: SendEffect): void {
    this.#noteFull();
    this.#outbox.send(effect, this.#host.responses.encodeResponse(this.kind.dialect, effect));
  }

  #wait(): void {
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#apply({ kind: "waited", nowMs: this.#host.nowMs() });
    }, ENDPOINTS_PATIENCE_MS);
  }

  async #examine({ typeUrl, resources: unclear, reason }: Extract<StreamEffect, { kind: "examine" }>): Promise<void> {
    const culprits = await this.#host.examine(unclear, reason);
    const examination = { unclear, culprits };
    this.#apply({ kind: "examined", typeUrl, examination, reason, nowMs: this.#host.nowMs() });
  }

  async #ask({ typeUrl, names }: Extract<StreamEffect, { kind: "ask" }>): Promise<void> {
    const answer = await this.#host.answer(typeUrl, names, this.#caller.identity);
    if (answer.kind === "failed") return this.end(STATUS_OF[answer.code], answer.message);
    this.#apply({ kind: "told", typeUrl, resources: answer.resources.map(wrapAny), nowMs: this.#host.nowMs() });
  }
}
