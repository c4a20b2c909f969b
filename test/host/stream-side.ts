import { Body } from "./body.ts";
import type { HeaderMap } from "./header-map.ts";

/** How a stream calls its module. */
export interface ModuleCaller {
  /**
   * Calls a callback with the stream's id and what follows. `stopped`: the module said meanwhile that nothing goes on,
   * whatever it answers.
   */
  call(callback: string, ...rest: readonly number[]): { readonly status: number; readonly stopped: boolean };
  /** Whether the module is there to be called; of a dead one the stream says what comes of it. */
  isAlive(): boolean;
  /** Does what the module asked for while it was called. */
  settle(): void;
  /** StopIteration for headers holds the headers alone. */
  readonly allowOnHeadersStopIteration: boolean;
}

/** `FilterHeadersStatus`: the headers are held. */
const STOP_ITERATION = 1;

/** `FilterHeadersStatus`: the headers go on and are the last. */
const CONTINUE_AND_END = 2;
/** `FilterDataStatus`: nothing goes on and nothing is kept. There is none beyond it. */
const STOP_WITHOUT_BUFFER = 3;

/**
 * One direction of a stream: what its module may see and change of it now, and what is held until the module continues.
 */
export class StreamSide {
  /** Headers as long as the module holds them. */
  map: HeaderMap | undefined;
  /** Trailers as long as the module holds them. */
  trailers: HeaderMap | undefined;
  sentTrailers: HeaderMap | undefined;
  paused = false;
  /** Headers are held, and what follows them comes to the module all the same. */
  #holdsHeadersAlone = false;
  /** The callback that is running tells of the body's end. */
  isEnding = false;
  readonly body = new Body();
  readonly #waiting: (() => void)[] = [];
  readonly #module: ModuleCaller;

  constructor(module: ModuleCaller) {
    this.#module = module;
  }

  tellHeaders(callback: string, map: HeaderMap, endOfStream: boolean): void {
    if (!this.#module.isAlive()) return;
    this.map = map;
    const { status, stopped } = this.#module.call(callback, map.size, Number(endOfStream));
    const isStopped = stopped || status !== 0;
    if (!isStopped) this.map = undefined;
    if (this.#module.isAlive()) this.paused = isStopped && status !== CONTINUE_AND_END;
    this.#holdsHeadersAlone =
      this.paused && !stopped && status === STOP_ITERATION && this.#module.allowOnHeadersStopIteration;
    this.#module.settle();
  }

  tellData(callback: string, data: Uint8Array, endOfStream: boolean): void {
    if (!this.#module.isAlive()) return;
    const size = this.body.arrive(data);
    this.isEnding = endOfStream;
    const answer = this.#module.call(callback, size, Number(endOfStream));
    this.isEnding = false;
    const status = answer.stopped ? STOP_WITHOUT_BUFFER : Math.min(answer.status, STOP_WITHOUT_BUFFER);
    if (this.#module.isAlive()) {
      this.body.answered(status);
      this.paused = status !== 0 && (endOfStream || this.#holdsHeadersAlone);
      if (!this.paused) this.#holdsHeadersAlone = false;
    }
    this.#module.settle();
  }

  tellTrailers(callback: string, map: HeaderMap): void {
    if (!this.#module.isAlive()) return;
    this.trailers = map;
    this.sentTrailers = map;
    const { status, stopped } = this.#module.call(callback, map.size);
    const isStopped = stopped || status !== 0;
    if (this.#module.isAlive()) {
      if (!isStopped) {
        this.trailers = undefined;
        this.body.release();
      }
      this.paused = isStopped;
    }
    this.#holdsHeadersAlone = false;
    this.#module.settle();
  }

  /** Does it now, or when the module continues. */
  whenFree(work: () => void): void {
    if (this.paused && !this.#holdsHeadersAlone) this.#waiting.push(work);
    else work();
  }

  /** The module continues: what waited comes, until the module holds it again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#holdsHeadersAlone = false;
    this.body.release();
    while (!this.paused) {
      const work = this.#waiting.shift();
      if (!work) return;
      work();
    }
  }
}
