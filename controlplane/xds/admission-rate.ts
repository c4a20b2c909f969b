// How fast new streams are let in: after a restart a thousand proxies come at once.

/** Returns, for one more stream, how many milliseconds it has to wait. `nowMs` never goes back. */
export type AdmissionRate = (nowMs: number) => number;

/** An AdmissionRate of so many streams a second, after a first burst. */
export function createAdmissionRate(perSecond: number, burst: number): AdmissionRate {
  const intervalMs = 1000 / perSecond;
  // When the last admitted stream would have come, were all evenly spaced.
  let scheduledMs = Number.NEGATIVE_INFINITY;
  return (nowMs) => {
    scheduledMs = Math.max(scheduledMs + intervalMs, nowMs);
    return Math.max(0, scheduledMs - nowMs - (burst - 1) * intervalMs);
  };
}
