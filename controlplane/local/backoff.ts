/** How long to wait before the next start of something that ended by itself. */
export interface Backoff {
  /** Returns the milliseconds to wait, given how long the last run lasted. */
  next(ranForMs: number): number;
}

const STEADY_MS = 20_000;

/** Returns delays that double from `firstMs` to `longestMs`, and start over after a run of 20 s. */
export function createBackoff(firstMs = 250, longestMs = 10_000): Backoff {
  let delay = firstMs;
  return {
    next(ranForMs) {
      if (ranForMs >= STEADY_MS) delay = firstMs;
      const now = delay;
      delay = Math.min(longestMs, delay * 2);
      return now;
    },
  };
}
