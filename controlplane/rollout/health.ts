// Whether a candidate does worse than the version before: pure arithmetic over what two groups of proxies counted since
// a step began.
import type { RollbackLimits } from "./plan.ts";

/** Counts of one proxy since its start, or of several added up. */
export interface ProxyCounts {
  readonly requests: number;
  readonly serverErrors: number;
  /** Of the time from a request's arrival to its answer: upper bounds in ms and counts up to each, ascending. */
  readonly latency: readonly { readonly upToMs: number; readonly count: number }[];
  /** How often a module's VM had to be started anew, or could not be. */
  readonly vmFailures: number;
  /** The counter that the plan names; 0 where there is none. */
  readonly metric: number;
  readonly hasMetric: boolean;
}

export const noCounts: ProxyCounts = {
  requests: 0,
  serverErrors: 0,
  latency: [],
  vmFailures: 0,
  metric: 0,
  hasMetric: false,
};

/** What was counted between two readings of one proxy; a proxy that was started anew counts from zero. */
export function difference(after: ProxyCounts, before: ProxyCounts): ProxyCounts {
  if (after.requests < before.requests) return after;
  const earlier = new Map(before.latency.map(({ upToMs, count }) => [upToMs, count]));
  return {
    requests: after.requests - before.requests,
    serverErrors: Math.max(0, after.serverErrors - before.serverErrors),
    latency: after.latency.map(({ upToMs, count }) => ({
      upToMs,
      count: Math.max(0, count - (earlier.get(upToMs) ?? 0)),
    })),
    vmFailures: Math.max(0, after.vmFailures - before.vmFailures),
    metric: Math.max(0, after.metric - before.metric),
    hasMetric: after.hasMetric,
  };
}

/** The counts of several proxies together. */
export function total(counts: readonly ProxyCounts[]): ProxyCounts {
  return counts.reduce(
    (sum, one) => ({
      requests: sum.requests + one.requests,
      serverErrors: sum.serverErrors + one.serverErrors,
      vmFailures: sum.vmFailures + one.vmFailures,
      metric: sum.metric + one.metric,
      hasMetric: sum.hasMetric || one.hasMetric,
      latency: one.latency.map(({ upToMs, count }) => ({
        upToMs,
        count: count + (sum.latency.find((bucket) => bucket.upToMs === upToMs)?.count ?? 0),
      })),
    }),
    noCounts,
  );
}

/**
 * Why the candidate is to be taken back; undefined while it does well, or while there is too little to tell. `share` is
 * the part of the requests counted that were the candidate's own (1: all): what it does wrong shows in the counts as
 * that part only.
 */
export function judge(
  candidate: ProxyCounts,
  baseline: ProxyCounts,
  limits: RollbackLimits,
  share = 1,
): string | undefined {
  if (candidate.vmFailures > baseline.vmFailures)
    return `its VM failed ${candidate.vmFailures} times (${baseline.vmFailures} at the version before)`;
  if (candidate.requests < limits.minimumRequests) return undefined;
  const [errors, usual] = [
    percent(candidate.serverErrors, candidate.requests),
    percent(baseline.serverErrors, baseline.requests),
  ];
  if (errors > usual + limits.errorRate * share + chance(candidate, baseline))
    return (
      `${errors.toFixed(1)} % of ${share < 1 ? "all" : "its"} answers are 5xx ` +
      `(${usual.toFixed(1)} % at the version before, ${limits.errorRate} more are allowed)`
    );
  const { metric } = limits;
  const usualMetric = share < 1 ? percent(baseline.metric, baseline.requests) * 10 : 0;
  if (
    metric !== undefined &&
    candidate.metric * 1_000 > (metric.perThousand * share + usualMetric) * candidate.requests
  ) {
    return (
      `${metric.name} rose by ${candidate.metric} in ${candidate.requests} requests ` +
      `(${metric.perThousand} per 1,000 are allowed)`
    );
  }
  if (baseline.requests < limits.minimumRequests) return undefined;
  const [slow, before] = [quantile(candidate, 0.99), quantile(baseline, 0.99)];
  // Below a millisecond Envoy tells no difference.
  const limit = Math.max(before, 1) * (1 + limits.latency / 100);
  if (slow > limit && slow - before > SMALLEST_MS && isSlowBeyondChance(candidate, limit))
    return `its p99 is ${slow} ms (${before} ms at the version before, ${limits.latency} % more are allowed)`;
  return undefined;
}

/**
 * By how many percentage points two shares of errors may differ by chance: three standard errors. Without it, few
 * requests of a service that fails now and then would tell of nothing.
 */
function chance(candidate: ProxyCounts, baseline: ProxyCounts): number {
  const pooled = (candidate.serverErrors + baseline.serverErrors) / (candidate.requests + baseline.requests);
  const perRequest = 1 / candidate.requests + (baseline.requests === 0 ? 0 : 1 / baseline.requests);
  return 300 * Math.sqrt(pooled * Math.max(0, 1 - pooled) * perRequest);
}

/**
 * Of few requests p99 is the slowest one, whatever that waited for: more must be slow than three standard errors above
 * the one in a hundred that may be.
 */
function isSlowBeyondChance({ latency }: ProxyCounts, limitMs: number): boolean {
  const all = latency.at(-1)?.count ?? 0;
  const slow = all - (latency.findLast(({ upToMs }) => upToMs <= limitMs)?.count ?? 0);
  return slow > all * 0.01 + 3 * Math.sqrt(all * 0.01 * 0.99);
}

/** Differences below this are the grain of the histograms. */
const SMALLEST_MS = 5;

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}

/** The upper bound of the bucket in which the quantile lies, in ms; 0 without requests. */
export function quantile({ latency }: ProxyCounts, share: number): number {
  const all = latency.at(-1)?.count ?? 0;
  return latency.find(({ count }) => count > 0 && count >= all * share)?.upToMs ?? 0;
}
