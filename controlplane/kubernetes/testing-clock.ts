import type { Clock } from "../telemetry/clock.ts";

/** Returns a clock that goes so many times as fast as the machine's. */
export function createFastClock(times: number): Pick<Clock, "monotonicMs" | "sleep"> {
  return {
    monotonicMs: () => performance.now() * times,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const timer = setTimeout(() => {
          signal?.removeEventListener("abort", end);
          resolve();
        }, ms / times);
        const end = () => {
          clearTimeout(timer);
          reject(signal?.reason as Error);
        };
        signal?.addEventListener("abort", end, { once: true });
      }),
  };
}
