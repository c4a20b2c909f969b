// Latencies in steps of about 2 %: constant memory, however many there are.

const STEPS_PER_OCTAVE = 32;
const SMALLEST_MS = 0.001;
const SIZE = STEPS_PER_OCTAVE * 26;

export class Histogram {
  readonly #counts = new Uint32Array(SIZE);
  #total = 0;
  #max = 0;

  /** Counts one latency. */
  add(ms: number): void {
    const step = Math.round(Math.log2(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * STEPS_PER_OCTAVE);
    this.#counts[Math.min(step, SIZE - 1)]! += 1;
    this.#total++;
    if (ms > this.#max) this.#max = ms;
  }

  /** The largest latency, exactly. */
  get maxMs(): number {
    return this.#max;
  }

  /** The latency that the share `q` of all does not exceed; 0 when there are none. */
  quantileMs(q: number): number {
    let left = Math.ceil(this.#total * q);
    for (let step = 0; step < SIZE; step++) {
      left -= this.#counts[step]!;
      if (left <= 0 && this.#total > 0) return SMALLEST_MS * 2 ** (step / STEPS_PER_OCTAVE);
    }
    return 0;
  }
}
