// consumes: a bucket (by name, or by the hash of a key) and a cost
// produces: whether the proxy as a whole may admit it, by compare-and-swap on data all workers share
// never does: admit what was not deducted first; wait; keep more keys than SLOTS × WAYS
import { Bytes, CREATE, getShared, setShared, sharedVersion, Status } from "as-proxy-wasm-sdk";
import { leaseSize, returnTokens, settledState, takeTokens, waitNs } from "../policy/gcra";
import { claimEntry, fingerprintOf, lastEvictionLost, SLOT_SIZE } from "../policy/slots";
import { Bucket } from "./config";

/** How often a swap is tried again. Each failure is another worker's success, so this many in a row means dozens of workers on one key. */
const ATTEMPTS = 64;
/** Slots of the table of keyed buckets: with 8 entries each, room for 131,072 keys in about 2 MiB of shared data. */
const SLOT_BITS = 14;

const VALUE: usize = memory.data(128, 8);

//   slot key: 'scrim.ratelimit/slot/' │ u16 slot number
const SLOT_KEY = memory.data<u8>([
  0x73, 0x63, 0x72, 0x69, 0x6d, 0x2e, 0x72, 0x61, 0x74, 0x65, 0x6c, 0x69, 0x6d, 0x69, 0x74, 0x2f, 0x73, 0x6c, 0x6f, 0x74, 0x2f, 0, 0,
]);
const SLOT_KEY_LENGTH = 23;

/** How many times a worker ran out of attempts, and how many buckets in use had to give way; read and reset by the filter. */
export class BucketEvents {
  contended: i64 = 0;
  evicted: i64 = 0;
}

/** What happened beside the decisions. */
export const events = new BucketEvents();

let wait: i64 = 0;

/** Returns the nanoseconds until the bucket that refused last would have had the tokens. */
export function lastWaitNs(): i64 {
  return wait;
}

/** Returns whether the bucket has `cost` tokens, which are gone then. `now` is scaled time. */
export function admitSingle(bucket: Bucket, now: i64, cost: i64): bool {
  const rate = bucket.rate;
  if (bucket.reserve.spend(rate, now, cost)) return true;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = getShared(bucket.sharedKey);
    const version = found == null ? CREATE : sharedVersion();
    const fullAt = found == null || found.length != 8 ? 0 : load<i64>(found.ptr);
    const lease = leaseSize(rate, fullAt, now, cost);
    const next = takeTokens(rate, fullAt, now, lease);
    if (next < 0) {
      wait = waitNs(rate, fullAt, now, cost);
      const settled = settledState(rate, fullAt, now);
      if (settled != fullAt) write(bucket.sharedKey, settled, version);
      return false;
    }
    if (write(bucket.sharedKey, next, version)) {
      bucket.reserve.add(rate, now, lease - cost, fullAt);
      return true;
    }
  }
  return giveUp();
}

/** Returns whether the bucket of `key` has `cost` tokens, which are gone then. */
export function admitKeyed(bucket: Bucket, key: u64, now: i64, cost: i64): bool {
  const rate = bucket.rate;
  const fingerprint = fingerprintOf(key);
  const slot = slotKey(key);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const version = readSlot(slot);
    const at = VALUE + claimEntry(VALUE, SLOT_SIZE, fingerprint, now);
    const evicted = lastEvictionLost();
    const fullAt = load<i64>(at, 8);
    const next = takeTokens(rate, fullAt, now, cost);
    if (next < 0) {
      wait = waitNs(rate, fullAt, now, cost);
      const settled = settledState(rate, fullAt, now);
      store<i64>(at, settled, 8);
      if (settled != fullAt) setShared(slot, Bytes.view(VALUE, SLOT_SIZE), version);
      return false;
    }
    store<i64>(at, next, 8);
    if (setShared(slot, Bytes.view(VALUE, SLOT_SIZE), version) == Status.Ok) {
      if (evicted) events.evicted++;
      return true;
    }
  }
  return giveUp();
}

/** Gives back what a keyed bucket admitted: another limit refused the request. */
export function returnKeyed(bucket: Bucket, key: u64, now: i64, cost: i64): void {
  const slot = slotKey(key);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const version = readSlot(slot);
    const at = VALUE + claimEntry(VALUE, SLOT_SIZE, fingerprintOf(key), now);
    store<i64>(at, returnTokens(bucket.rate, load<i64>(at, 8), now, cost), 8);
    if (setShared(slot, Bytes.view(VALUE, SLOT_SIZE), version) == Status.Ok) return;
  }
}

/** Gives back what a single bucket admitted: it stays with this worker, and fades there like any reserve. */
export function returnSingle(bucket: Bucket, now: i64, cost: i64): void {
  bucket.reserve.add(bucket.rate, now, cost, now);
}

function giveUp(): bool {
  events.contended++;
  wait = 0;
  return false;
}

/** Copies the slot's bytes to VALUE (zeros when there are none) and returns their version. */
function readSlot(slot: Bytes): u32 {
  const found = getShared(slot);
  if (found == null || found.length != SLOT_SIZE) {
    memory.fill(VALUE, 0, SLOT_SIZE);
    return found == null ? CREATE : sharedVersion();
  }
  memory.copy(VALUE, found.ptr, SLOT_SIZE);
  return sharedVersion();
}

function slotKey(key: u64): Bytes {
  // other bits than the fingerprint's low ones, so that keys of one slot differ in all of them
  store<u16>(SLOT_KEY + SLOT_KEY_LENGTH - 2, u16((key * 0x9e3779b97f4a7c15) >> (64 - SLOT_BITS)));
  return Bytes.view(SLOT_KEY, SLOT_KEY_LENGTH);
}

function write(key: Bytes, value: i64, version: u32): bool {
  store<i64>(VALUE, value);
  return setShared(key, Bytes.view(VALUE, 8), version) == Status.Ok;
}
