// consumes: a limit (tokens per interval, bucket size), a bucket's one number of state, the monotonic time
// produces: whether tokens can be taken, the new state, how long to wait
// never does: read a clock, overflow, lose tokens to rounding that add up to more than 1/16 ns per token
//
// The generic cell rate algorithm: a bucket is the instant at which it will be full again ("full at"). Taking a token moves it
// T = interval / tokens into the future; the bucket is empty when that is burst × T ahead. A bucket that is full needs no state.
//
//        now            fullAt                 now + burst × T
//   ──────┼───────────────┼───────────────────────┼────────→ time
//         │←── taken ────→│←────── left ─────────→│

/** Times are kept in sixteenths of a nanosecond, so that T need not be whole nanoseconds; 2^63 of them are 18 years. */
const SCALE: i64 = 16;

/** The largest interval × burst / tokens a limit may have, in nanoseconds: one year. */
export const LONGEST_FILL_NS: i64 = 365 * 86_400_000_000_000;

/** One limit's numbers, prepared. */
export class Rate {
  /** T, in scaled time, rounded up: rounding never admits more. */
  readonly step: i64;
  /** How far ahead `fullAt` may lie: burst × T. */
  readonly depth: i64;

  constructor(
    readonly tokens: i64,
    readonly intervalNs: i64,
    readonly burst: i64,
  ) {
    this.step = max<i64>(1, (intervalNs * SCALE + tokens - 1) / tokens);
    this.depth = this.step * burst;
  }

  /** Returns whether the numbers are usable: all positive, intervals up to a year, and the bucket full again within a year. */
  static fits(tokens: i64, intervalNs: i64, burst: i64): bool {
    if (tokens < 1 || intervalNs < 1 || burst < 1 || intervalNs > LONGEST_FILL_NS) return false;
    return f64(intervalNs) / f64(tokens) * f64(burst) <= f64(LONGEST_FILL_NS) && burst <= 1 << 40;
  }
}

/** Returns a monotonic time in nanoseconds as scaled time. */
export function scaled(nowNs: i64): i64 {
  return nowNs * SCALE;
}

/**
 * Returns `fullAt` after `count` tokens were taken, or -1 when there are not as many. A state from a limit that has changed since is
 * clamped to the new depth, so that a smaller bucket is at most empty.
 */
export function takeTokens(rate: Rate, fullAt: i64, now: i64, count: i64): i64 {
  if (count > rate.burst) return -1;
  const from = clampState(rate, fullAt, now);
  const next = from + rate.step * count;
  return next - now <= rate.depth ? next : -1;
}

/** Returns how many whole tokens the bucket holds now. */
export function tokensLeft(rate: Rate, fullAt: i64, now: i64): i64 {
  return (rate.depth - (clampState(rate, fullAt, now) - now)) / rate.step;
}

/** Returns `fullAt` after `count` tokens were given back. */
export function returnTokens(rate: Rate, fullAt: i64, now: i64, count: i64): i64 {
  return max(now, clampState(rate, fullAt, now) - rate.step * min(count, rate.burst));
}

/** Returns the nanoseconds until `count` tokens will be there; -1 when the bucket can never hold as many. */
export function waitNs(rate: Rate, fullAt: i64, now: i64, count: i64): i64 {
  if (count > rate.burst) return -1;
  const missing = clampState(rate, fullAt, now) + rate.step * count - now - rate.depth;
  return missing <= 0 ? 0 : (missing + SCALE - 1) / SCALE;
}

// @ts-ignore: decorator
@inline
function clampState(rate: Rate, fullAt: i64, now: i64): i64 {
  return min(max(fullAt, now), now + rate.depth);
}

/**
 * Returns the state to keep when nothing can be taken: a state left by a larger bucket is cut to this one's depth, so that a limit that was
 * made smaller starts to refill at once.
 */
export function settledState(rate: Rate, fullAt: i64, now: i64): i64 {
  return min(fullAt, now + rate.depth);
}

/**
 * Returns how many tokens a worker may take at once for itself, `cost` of them needed now: only the cost while the bucket is less than half
 * full, else up to an eighth of what is left and at most what 10 ms regain.
 */
export function leaseSize(rate: Rate, fullAt: i64, now: i64, cost: i64): i64 {
  const left = tokensLeft(rate, fullAt, now);
  if (left * 2 < rate.burst) return cost;
  const tenMs = scaled(10_000_000) / rate.step;
  return max(cost, min(left / 8, tenMs));
}

/**
 * Tokens a worker holds for itself. They were deducted from the bucket when they were taken. They keep their worth until the instant at
 * which the bucket would have been full without that, and from then on fade at the rate the bucket refills: so at any time bucket and
 * reserves together hold at most `burst`, and no window of time ever admits more than burst + rate × time, however long a worker sits on its reserve.
 *
 *   bucket + reserves:  burst ┤          ╭──────────  (from here the reserve loses what the bucket regains)
 *                             │      ╱
 *                             ┼──────┼───┼──────────→ time
 *                                  taken  full, had nothing been taken
 */
export class Reserve {
  /** Worth of the tokens, in scaled time, as if nothing had faded. */
  private amount: i64 = 0;
  private fadesFrom: i64 = 0;

  /** Spends `count` tokens; returns whether the reserve had them. */
  spend(rate: Rate, now: i64, count: i64): bool {
    if (count > rate.burst || this.worth(now) < rate.step * count) return false;
    this.amount -= rate.step * count;
    return true;
  }

  /** Adds tokens just deducted from the bucket, whose state before that was `fullAtBefore`. */
  add(rate: Rate, now: i64, count: i64, fullAtBefore: i64): void {
    if (count <= 0) return;
    const kept = this.worth(now);
    const from = max(now, fullAtBefore);
    this.fadesFrom = kept > 0 ? min(from, max(now, this.fadesFrom)) : from;
    this.amount = min(kept, rate.depth) + rate.step * count;
  }

  /** Returns the whole tokens left. */
  left(rate: Rate, now: i64): i64 {
    return this.worth(now) / rate.step;
  }

  private worth(now: i64): i64 {
    return max<i64>(0, this.amount - max<i64>(0, now - this.fadesFrom));
  }
}
