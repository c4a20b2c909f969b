// The responses of one stream on their way to its client, in order.
import { status as grpcStatus, type ServerDuplexStream } from "@grpc/grpc-js";
import type { SendEffect } from "../state-machine/stream-events.ts";
import type { StreamHost } from "../stream.ts";
import type { UnwrittenResponse } from "./wire.ts";
import type { WriteBudget } from "./write-budget.ts";

/** An xDS call as grpc-js has it. */
export type Call = ServerDuplexStream<Uint8Array, UnwrittenResponse>;

/** Smaller writes are not worth being counted. */
const COUNTED_BYTES = 32 * 1024;
/**
 * After this time a write no longer counts against what all may have on their way: a client that stopped reading holds
 * up itself only.
 */
const BUDGET_PATIENCE_MS = 500;

/** Whose responses these are. */
export interface OutboxOwner {
  /** A response is given to the transport. */
  written(effect: SendEffect, bytes: number): void;
  /** Everything has left, and there is room for more. */
  drained(): void;
  end(code: grpcStatus, details: string): void;
}

interface Unsent {
  readonly effect: SendEffect;
  readonly response: UnwrittenResponse;
}

export class Outbox {
  readonly #call: Call;
  readonly #host: Pick<StreamHost, "budget" | "stallMs">;
  readonly #owner: OutboxOwner;
  readonly #unsent: Unsent[] = [];
  /** Responses that the transport has not taken, or was not given yet. */
  #unwritten = 0;
  #isClosed = false;
  #stopWaiting: (() => void) | undefined;
  #stall: NodeJS.Timeout | undefined;

  constructor(call: Call, host: Pick<StreamHost, "budget" | "stallMs">, owner: OutboxOwner) {
    this.#call = call;
    this.#host = host;
    this.#owner = owner;
  }

  /** Whether it waits for the budget that all streams share. */
  get isInLine(): boolean {
    return this.#stopWaiting !== undefined;
  }

  /** Takes its place among those who wait for the budget. */
  standInLine(): void {
    this.#stopWaiting ??= this.#host.budget.whenRoom(() => {
      this.#stopWaiting = undefined;
      this.#writeAll();
      if (this.#unwritten === 0) this.#owner.drained();
    });
  }

  send(effect: SendEffect, response: UnwrittenResponse): void {
    this.#unwritten++;
    this.#unsent.push({ effect, response });
    this.#writeAll();
  }

  /** Nothing more is written. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#stall);
    this.#stopWaiting?.();
  }

  /**
   * A large response waits for room in the budget, also that of a stream which had everything once: a change of
   * everything is large for all of them.
   */
  #writeAll(): void {
    for (let next = this.#unsent[0]; next !== undefined && !this.#isClosed; next = this.#unsent[0]) {
      if (next.response.byteLength >= COUNTED_BYTES && !this.#host.budget.hasRoom()) return this.standInLine();
      this.#unsent.shift();
      this.#write(next);
    }
  }

  #write({ effect, response }: Unsent): void {
    const { budget, stallMs } = this.#host;
    this.#stall ??= setTimeout(() => this.#owner.end(grpcStatus.RESOURCE_EXHAUSTED, "the stream is not read"), stallMs);
    const giveBack = lend(budget, response.byteLength);
    this.#owner.written(effect, response.byteLength);
    this.#call.write(response, () => {
      this.#unwritten--;
      giveBack();
      // What waits for room is not for the client to read.
      if (this.#unwritten > this.#unsent.length) return;
      clearTimeout(this.#stall);
      this.#stall = undefined;
      if (this.#unwritten === 0) this.#owner.drained();
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
