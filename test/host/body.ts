import type { BodyBuffer } from "./context.ts";

/** What a body callback answered, as Envoy takes it. */
export const DataStatus = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;

/** One direction's body: what the module sees now, what is held, what has gone on. */
export class Body {
  /** Readable by the module: the piece at hand, or everything held while buffering; undefined between pieces. */
  visible: BodyBuffer | undefined;
  /** Bytes that came so far, whatever the filter made of them. */
  arrivedBytes = 0;
  #held: BodyBuffer | undefined;
  #isBuffering = false;
  #sent: Uint8Array[] = [];

  /** Bytes that passed the filter. */
  get sent(): Uint8Array {
    return Buffer.concat(this.#sent);
  }

  /** Bytes held because the filter stopped. */
  get heldBytes(): number {
    return this.#held?.data.length ?? 0;
  }

  /** A piece arrives; returns how many bytes the module is told of. */
  arrive(data: Uint8Array): number {
    this.arrivedBytes += data.length;
    if (this.#isBuffering && this.#held) {
      this.#held.data = Buffer.concat([this.#held.data, data]);
      this.visible = this.#held;
    } else this.visible = { data };
    return this.visible.data.length;
  }

  /** The module answered. */
  answered(status: number): void {
    const piece = this.visible;
    const wasHeld = piece === this.#held;
    this.#isBuffering = status === DataStatus.StopIterationAndBuffer;
    if (status === DataStatus.Continue) {
      this.release();
      if (!wasHeld && piece) this.#sent.push(piece.data);
      this.visible = undefined;
    } else if (status !== DataStatus.StopIterationNoBuffer && !wasHeld && piece) {
      this.#held = { data: Buffer.concat([this.#held?.data ?? new Uint8Array(), piece.data]) };
    }
  }

  /** Everything held goes on. */
  release(): void {
    if (this.#held) this.#sent.push(this.#held.data);
    this.#held = undefined;
    this.#isBuffering = false;
    this.visible = undefined;
  }
}
