// What one worker knows and holds of buckets: leases, and the last state it saw in shared data.
import { Rate } from "../policy/gcra";
import { Reserve } from "../policy/reserve";

/** A worker's part of one bucket. */
export class Held extends Reserve {
  /** The hash of the bucket's key. */
  key: u64 = 0;
  /** The limit's step when this began: a worker forgets what it held of a limit whose pace changed. */
  private step: i64 = 0;
  /**
   * The bucket's state as this worker saw it last. It only ever grows, so a bucket that was empty then and would not
   * have refilled yet is empty now.
   */
  seen: i64 = 0;
  /** When a request last asked for it, in scaled time. */
  usedAt: i64 = 0;

  /** Forgets everything: it is another key's now. */
  begin(key: u64): void {
    this.key = key;
    this.seen = 0;
    this.drop();
  }

  /** Notes that a request came; forgets what was held under another rate. */
  touch(rate: Rate, now: i64): void {
    this.usedAt = now;
    if (this.step == rate.step) return;
    this.step = rate.step;
    this.seen = 0;
    this.drop();
  }
}

const SETS: i32 = 256;
const WAYS: i32 = 4;
/**
 * After so long without a request a key's place may be taken, and the tokens held for it are lost: at most its share
 * and 5 ms worth of them.
 */
const IDLE: i64 = 16 * 1_000_000_000;

let table: StaticArray<Held> | null = null;
/** Stands in for a key that has no place: it never holds anything. */
const nothingHeld = new Held();

/** Makes room for what is held of keyed buckets (about 90 KiB). Configuration time only: it allocates. */
export function prepareHeld(): void {
  if (table != null) return;
  const made = new StaticArray<Held>(SETS * WAYS);
  for (let i = 0; i < made.length; i++) made[i] = new Held();
  table = made;
}

/**
 * Returns what this worker holds of a keyed bucket. A key that was not among the last thousand or so gets the place of
 * one that has nothing, or that was idle for a second; failing that it goes without a place (`isLeasable` says so):
 * slower, and just as exact.
 */
export function heldOf(key: u64, now: i64): Held {
  const all = table!;
  const first = i32(key & (SETS - 1)) * WAYS;
  let victim: Held | null = null;
  for (let i = first; i < first + WAYS; i++) {
    const held = unchecked(all[i]);
    if (held.key == key) return held;
    if (now - held.usedAt < IDLE && held.worth(now) > 0) continue;
    if (victim == null || held.usedAt < victim.usedAt) victim = held;
  }
  const place = victim == null ? nothingHeld : victim;
  if (place.key != key) place.begin(key);
  return place;
}

/** Returns whether tokens may be held there for later requests. */
// @ts-ignore: decorator
@inline
export function isLeasable(held: Held): bool {
  return held != nothingHeld;
}
