// consumes: a bucket (by name, or by the hash of a key) and a cost
// produces: whether the proxy as a whole may admit it, by compare-and-swap on data all workers share
// never does: admit what was not deducted first; wait; keep more keys than SLOTS × WAYS
import {
  Bytes,
  CREATE,
  getShared,
  literal,
  monotonicNanoseconds,
  setShared,
  sharedVersion,
  Status,
  wallNanoseconds,
} from "as-proxy-wasm-sdk";
import {
  codeOfStep,
  Rate,
  rescaled,
  settledState,
  stepOfCode,
  takeWorth,
  tokensLeft,
  waitForWorthNs,
  waitNs,
} from "../policy/gcra";
import { leaseSize } from "../policy/reserve";
import { claimEntry, ENTRY_SIZE, fingerprintOf, lastEvictionLost, SLOT_SIZE } from "../policy/slots";
import { Held, heldOf, isLeasable } from "./held";
import { Bucket } from "./limit";

/**
 * How often a swap is tried again. Each failure is another worker's success: while a bucket is smaller than this, so
 * many failures in a row mean that it was emptied; where it is larger, each worker has a share of its own to fall back
 * on (Rate.share).
 */
const ATTEMPTS = 512;
/** Slots of the table of keyed buckets: with 16 entries each, room for 262,144 keys in 4 MiB of values. */
const SLOT_BITS = 14;

const VALUE: usize = memory.data(256, 8);

//   slot key: 'scrim.ratelimit/slot/' │ u16 slot number
const SLOT_KEY = memory.data<u8>([
  0x73, 0x63, 0x72, 0x69, 0x6d, 0x2e, 0x72, 0x61, 0x74, 0x65, 0x6c, 0x69, 0x6d, 0x69, 0x74, 0x2f, 0x73, 0x6c, 0x6f,
  0x74, 0x2f, 0, 0,
]);
const SLOT_KEY_LENGTH = 23;
const SECRET = literal("scrim.ratelimit/secret");

/**
 * How many times a worker ran out of attempts, and how many buckets in use had to give way; read and reset by the
 * filter.
 */
export class BucketEvents {
  contended: i64 = 0;
  evicted: i64 = 0;
}

/** What happened beside the decisions. */
export const events = new BucketEvents();

enum Swap {
  Done,
  /** The bucket has not as many tokens. */
  Empty,
  /** Another worker was faster. */
  Lost,
}

let wait: i64 = 0;
let left: i64 = 0;
let fillsIn: i64 = 0;

/** Returns the nanoseconds until the bucket that refused last would have had the tokens. */
export function lastWaitNs(): i64 {
  return wait;
}

/** Returns the tokens that were left, as far as this worker knows, after the last `lookAt`. */
export function lastLeft(): i64 {
  return left;
}

/** Returns the nanoseconds until the bucket of the last `lookAt` would be full. */
export function lastFillNs(): i64 {
  return fillsIn;
}

/**
 * Returns a number that all workers know and no client does, so that nobody can choose keys which share a slot.
 * Configuration time only.
 */
export function sharedSecret(): u64 {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = getShared(SECRET);
    if (found != null && found.length == 8) return load<u64>(found.ptr);
    store<i64>(VALUE, wallNanoseconds() * 0x9e3779b97f4a7c15 + (monotonicNanoseconds() << 20));
    setShared(SECRET, Bytes.view(VALUE, 8), sharedVersion());
  }
  return 0;
}

/**
 * Returns whether the bucket has `cost` tokens, which are gone then. `key`: the hash of the key, for a bucket that is a
 * family. `now` is scaled time.
 */
export function admit(bucket: Bucket, key: u64, now: i64, cost: i64): bool {
  const rate = bucket.rate;
  const held = heldBy(bucket, key, now);
  held.touch(rate, now);
  if (held.spend(rate, now, cost, rate.share)) return true;
  if (isKnownEmpty(held, rate, now, cost)) return fallBack(held, rate, now, cost);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const swap = bucket.keyed
      ? swapInSlot(rate, key, held, now, cost)
      : swapSingle(rate, bucket.sharedKey, held, now, cost);
    if (swap == Swap.Done) return true;
    if (swap == Swap.Empty) return fallBack(held, rate, now, cost);
  }
  if (held.spend(rate, now, cost, 0)) return true;
  events.contended++;
  wait = 0;
  return false;
}

/** Gives back what a bucket admitted: it stays with this worker, and fades there like any reserve. */
export function giveBack(bucket: Bucket, key: u64, now: i64, cost: i64): void {
  const held = heldBy(bucket, key, now);
  if (bucket.keyed && !isLeasable(held)) return;
  held.touch(bucket.rate, now);
  held.add(bucket.rate, now, cost, held.seen - bucket.rate.step * cost);
}

/** Looks at a bucket that was just asked: `lastLeft` and `lastFillNs` tell what was seen. No host call. */
export function lookAt(bucket: Bucket, key: u64, now: i64): void {
  const rate = bucket.rate;
  const held = heldBy(bucket, key, now);
  left = min(rate.burst, tokensLeft(rate, held.seen - held.worth(now), now));
  fillsIn = waitNs(rate, held.seen, now, rate.burst);
}

// @ts-ignore: decorator
@inline
function heldBy(bucket: Bucket, key: u64, now: i64): Held {
  return bucket.keyed ? heldOf(key, now) : bucket.held;
}

/**
 * What the bucket must give when the worker adds all it holds, as tokens × step: what the worker holds may have faded
 * to parts of tokens, which the bucket has regained.
 */
// @ts-ignore: decorator
@inline
function missing(held: Held, rate: Rate, now: i64, cost: i64): i64 {
  return max<i64>(0, rate.step * cost - held.worth(now));
}

/** Whether the bucket, as it was seen last, can add nothing that would help. */
// @ts-ignore: decorator
@inline
function isKnownEmpty(held: Held, rate: Rate, now: i64, cost: i64): bool {
  if (takeWorth(rate, held.seen, now, rate.step * cost) >= 0) return false;
  const short = missing(held, rate, now, cost);
  return short == 0 || takeWorth(rate, held.seen, now, short) < 0;
}

/**
 * What to take out of a bucket, as tokens × step: cost and lease while it has the cost; else what the worker's own
 * tokens are short of; 0 when these suffice.
 */
// @ts-ignore: decorator
@inline
function drawn(held: Held, rate: Rate, state: i64, now: i64, cost: i64, isLeasing: bool): i64 {
  if (tokensLeft(rate, state, now) < cost) return missing(held, rate, now, cost);
  return rate.step * (isLeasing ? leaseSize(rate, state, now, cost, held.left(rate, now)) : cost);
}

/** What was drawn is the worker's now, and `cost` tokens are spent. */
function settle(held: Held, rate: Rate, now: i64, drawn: i64, cost: i64, stateBefore: i64): Swap {
  const price = rate.step * cost;
  if (drawn < price) held.pay(now, price - drawn);
  else held.add(rate, now, (drawn - price) / rate.step, stateBefore);
  return Swap.Done;
}

/** The bucket is empty: what the worker kept for itself is the last there is. */
function fallBack(held: Held, rate: Rate, now: i64, cost: i64): bool {
  if (held.spend(rate, now, cost, 0)) return true;
  wait = waitForWorthNs(rate, held.seen, now, missing(held, rate, now, cost));
  return false;
}

/**
 * One try to take `cost` tokens, and a lease with them, out of a bucket that is a value of its own: i64 fullAt │ i64
 * step of the limit that left it.
 */
function swapSingle(rate: Rate, key: Bytes, held: Held, now: i64, cost: i64): Swap {
  const found = getShared(key);
  const version = found == null ? CREATE : sharedVersion();
  let fullAt: i64 = 0;
  let step = rate.step;
  if (found != null && found.length == 16) {
    fullAt = load<i64>(found.ptr);
    step = load<i64>(found.ptr, 8);
  }
  const state = rescaled(rate, fullAt, now, step);
  const worth = drawn(held, rate, state, now, cost, true);
  const next = worth == 0 ? -1 : takeWorth(rate, state, now, worth);
  const after = next < 0 ? settledState(rate, state, now) : next;
  if (next >= 0 || after != fullAt || step != rate.step) {
    store<i64>(VALUE, after);
    store<i64>(VALUE, rate.step, 8);
    if (setShared(key, Bytes.view(VALUE, 16), version) != Status.Ok && next >= 0) return Swap.Lost;
  }
  held.seen = after;
  if (next < 0) return Swap.Empty;
  return settle(held, rate, now, worth, cost, state);
}

/** One try to take `cost` tokens, and a lease with them, out of the bucket of `key`. */
function swapInSlot(rate: Rate, key: u64, held: Held, now: i64, cost: i64): Swap {
  const slot = slotKey(key);
  const found = getShared(slot);
  const version = found == null ? CREATE : sharedVersion();
  let size = 0;
  if (found != null && found.length <= SLOT_SIZE) {
    size = found.length & ~(ENTRY_SIZE - 1);
    memory.copy(VALUE, found.ptr, size);
  }
  const offset = claimEntry(VALUE, size, fingerprintOf(key), now);
  const evicted = lastEvictionLost();
  const at = VALUE + offset;
  const fullAt = load<i64>(at, 8);
  const writtenBy = load<u16>(at);
  const code = codeOfStep(rate.step);
  const state = writtenBy == code ? fullAt : rescaled(rate, fullAt, now, stepOfCode(writtenBy));
  const worth = drawn(held, rate, state, now, cost, isLeasable(held));
  const next = worth == 0 ? -1 : takeWorth(rate, state, now, worth);
  const after = next < 0 ? settledState(rate, state, now) : next;
  if (next >= 0 || after != fullAt || writtenBy != code) {
    store<u16>(at, code);
    store<i64>(at, after, 8);
    const written = setShared(slot, Bytes.view(VALUE, max(size, offset + ENTRY_SIZE)), version);
    if (written != Status.Ok && next >= 0) return Swap.Lost;
  }
  held.seen = after;
  if (next < 0) return Swap.Empty;
  if (evicted) events.evicted++;
  return settle(held, rate, now, worth, cost, state);
}

function slotKey(key: u64): Bytes {
  // other bits than the fingerprint's, so that keys of one slot differ in all of them
  store<u16>(SLOT_KEY + SLOT_KEY_LENGTH - 2, u16((key * 0x9e3779b97f4a7c15) >> (64 - SLOT_BITS)));
  return Bytes.view(SLOT_KEY, SLOT_KEY_LENGTH);
}
