// consumes: a limit (tokens per interval, bucket size), a bucket's one number of state, the monotonic time
// produces: whether tokens can be taken, the new state, how long to wait
// never does: read a clock, overflow, lose tokens to rounding that add up to more than 1/16 ns per token
//
// The generic cell rate algorithm: a bucket is the instant at which it will be full again ("full at"). Taking a token
// moves it T = interval / tokens into the future; the bucket is empty when that is burst × T ahead. A bucket that is
// full needs no state.
//
//        now            fullAt                 now + burst × T
//   ──────┼───────────────┼───────────────────────┼────────→ time
//         │←── taken ────→│←────── left ─────────→│

/** Times are kept in sixteenths of a nanosecond, so that T need not be whole nanoseconds; 2^63 of them are 18 years. */
const SCALE: i64 = 16;

/** A worker's share is burst / SHARES: what idle workers sit on stays under 2 % of the bucket for up to ten of them. */
const SHARES: i64 = 512;

/** The largest interval × burst / tokens a limit may have, in nanoseconds: one year. */
export const LONGEST_FILL_NS: i64 = 365 * 86_400_000_000_000;

/** One limit's numbers, prepared. */
export class Rate {
  /** T, in scaled time, rounded up: rounding never admits more. */
  readonly step: i64;
  /** How far ahead `fullAt` may lie: burst × T. */
  readonly depth: i64;
  /**
   * What a worker keeps for itself while there is plenty, in tokens: its share when swaps are lost to other workers.
   */
  readonly share: i64;

  constructor(
    readonly tokens: i64,
    readonly intervalNs: i64,
    readonly burst: i64,
  ) {
    this.step = max<i64>(1, (intervalNs * SCALE + tokens - 1) / tokens);
    this.depth = this.step * burst;
    this.share = burst / SHARES;
  }

  /**
   * Returns whether the numbers are usable: all positive, intervals up to a year, and the bucket full again within a
   * year.
   */
  static fits(tokens: i64, intervalNs: i64, burst: i64): bool {
    if (tokens < 1 || intervalNs < 1 || burst < 1 || intervalNs > LONGEST_FILL_NS) return false;
    return (f64(intervalNs) / f64(tokens)) * f64(burst) <= f64(LONGEST_FILL_NS) && burst <= 1 << 40;
  }
}

/** Returns a monotonic time in nanoseconds as scaled time. */
export function scaled(nowNs: i64): i64 {
  return nowNs * SCALE;
}

/**
 * Returns `fullAt` after `count` tokens were taken, or -1 when there are not as many. A state from a limit that has
 * changed since is clamped to the new depth, so that a smaller bucket is at most empty.
 */
export function takeTokens(rate: Rate, fullAt: i64, now: i64, count: i64): i64 {
  return count > rate.burst ? -1 : takeWorth(rate, fullAt, now, rate.step * count);
}

/** As `takeTokens`, for parts of tokens too: `worth` is tokens × step, at most the depth. */
export function takeWorth(rate: Rate, fullAt: i64, now: i64, worth: i64): i64 {
  const next = clampState(rate, fullAt, now) + worth;
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
  return count > rate.burst ? -1 : waitForWorthNs(rate, fullAt, now, rate.step * count);
}

/** As `waitNs`, for parts of tokens too. */
export function waitForWorthNs(rate: Rate, fullAt: i64, now: i64, worth: i64): i64 {
  const missing = clampState(rate, fullAt, now) + worth - now - rate.depth;
  return missing <= 0 ? 0 : (missing + SCALE - 1) / SCALE;
}

// @ts-ignore: decorator
@inline
function clampState(rate: Rate, fullAt: i64, now: i64): i64 {
  return min(max(fullAt, now), now + rate.depth);
}

/**
 * Returns the state to keep when nothing can be taken: a state left by a larger bucket is cut to this one's depth, so
 * that a limit that was made smaller starts to refill at once.
 */
export function settledState(rate: Rate, fullAt: i64, now: i64): i64 {
  return min(fullAt, now + rate.depth);
}

/**
 * Returns the state of a bucket in the terms of `rate` when it was left by a limit with another step: as many tokens
 * are missing as before (at most all of them), whatever the new size and pace are. So a larger bucket gains what it is
 * larger by, and a faster one does not start empty.
 */
export function rescaled(rate: Rate, fullAt: i64, now: i64, step: i64): i64 {
  if (step == rate.step || step < 1 || fullAt <= now) return fullAt;
  const ahead = Math.ceil((f64(fullAt - now) * f64(rate.step)) / f64(step));
  return ahead >= f64(rate.depth) ? now + rate.depth : now + i64(ahead);
}

/** Returns a step in 16 bits: its highest bit's place and the ten bits after it, good to 0.1 %. */
export function codeOfStep(step: i64): u16 {
  const bit = 63 - i32(clz(step));
  const below = bit >= 10 ? step >> (bit - 10) : step << (10 - bit);
  return u16((bit << 10) | (i32(below) & 1023));
}

/** Returns the step (about) that a code stands for. */
export function stepOfCode(code: u16): i64 {
  const bit = i32(code) >> 10;
  const value = i64(1024 | (i32(code) & 1023));
  return bit >= 10 ? value << (bit - 10) : value >> (10 - bit);
}
