// consumes: a limit's numbers, the state of its bucket, the monotonic time
// produces: how many tokens a worker takes for itself at once, and what they are worth later
// never does: make bucket and reserves together hold more than the burst
import { Rate, scaled, tokensLeft } from "./gcra";

/** What leases may last: as many tokens as this regains. */
const LEASE_NS: i64 = 5_000_000;

/**
 * Returns how many tokens a worker takes out of a bucket that has `cost` of them: those it needs now; while the bucket
 * is at least half full also what 5 ms regain (at most 1/32 of what is left); and always what is missing in its share,
 * if there is as much.
 */
export function leaseSize(rate: Rate, fullAt: i64, now: i64, cost: i64, held: i64): i64 {
  const left = tokensLeft(rate, fullAt, now);
  const ahead = left * 2 < rate.burst ? 0 : min(left / 32, scaled(LEASE_NS) / rate.step);
  return max(cost, min(left, max(cost, ahead) + max<i64>(0, rate.share - held)));
}

/**
 * Tokens a worker holds for itself. They were deducted from the bucket when they were taken. They keep their worth
 * until the instant at which the bucket would have been full without that, and from then on fade at the rate the bucket
 * refills: so at any time bucket and reserves together hold at most `burst`, and no window of time ever admits more
 * than burst + rate × time, however long a worker sits on its reserve.
 *
 *   bucket + reserves:  burst ┤          ╭──────────  (from here the reserve loses what the bucket regains)
 *                             │      ╱
 *                             ┼──────┼───┼──────────→ time
 *                                  taken  full, had nothing been taken
 *
 * Two lots are kept apart, the older one is spent first: what was taken while the bucket was full must not make fade
 * what was taken later.
 */
export class Reserve {
  // Worth of a lot in scaled time as if nothing had faded, and the instant from which it does.
  private older: i64 = 0;
  private olderFadesFrom: i64 = 0;
  private newer: i64 = 0;
  private newerFadesFrom: i64 = 0;

  /** Spends `count` tokens if `kept` more stay; returns whether it did. */
  spend(rate: Rate, now: i64, count: i64, kept: i64): bool {
    // first: tokens × step is only sure to fit up to the burst
    if (count > rate.burst || this.worth(now) < rate.step * (count + kept)) return false;
    this.pay(now, rate.step * count);
    return true;
  }

  /** Spends worth (tokens × step), the older lot's first; all there is when it is not as much. */
  pay(now: i64, worth: i64): void {
    const first = worthOf(this.older, this.olderFadesFrom, now);
    this.older -= min(worth, first);
    this.newer -= max<i64>(0, worth - first);
  }

  /**
   * Adds tokens just deducted from the bucket, whose state before that was `fullAtBefore` (or later: then they fade
   * early).
   */
  add(rate: Rate, now: i64, count: i64, fullAtBefore: i64): void {
    if (count <= 0) return;
    if (worthOf(this.older, this.olderFadesFrom, now) == 0) {
      this.older = this.newer;
      this.olderFadesFrom = this.newerFadesFrom;
      this.newer = 0;
    }
    const kept = worthOf(this.newer, this.newerFadesFrom, now);
    const from = max(now, fullAtBefore);
    this.newerFadesFrom = kept > 0 ? min(from, max(now, this.newerFadesFrom)) : from;
    this.newer = min(kept, rate.depth) + rate.step * count;
  }

  /** Forgets everything. */
  drop(): void {
    this.older = 0;
    this.newer = 0;
  }

  /** Returns the whole tokens left. */
  left(rate: Rate, now: i64): i64 {
    return this.worth(now) / rate.step;
  }

  /** Returns the worth that is left, in scaled time. */
  worth(now: i64): i64 {
    return worthOf(this.older, this.olderFadesFrom, now) + worthOf(this.newer, this.newerFadesFrom, now);
  }
}

// @ts-ignore: decorator
@inline
function worthOf(amount: i64, fadesFrom: i64, now: i64): i64 {
  return max<i64>(0, amount - max<i64>(0, now - fadesFrom));
}
