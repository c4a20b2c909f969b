// consumes: the bytes of one slot of a shared table, a key's fingerprint
// produces: where the key's state stands in it, or which entry gives way
// never does: hold more than WAYS entries
//
//   slot: up to WAYS × ┌ u48 fingerprint │ u16 code of the limit's step ┬ i64 fullAt (scaled time) ┐
//                      └────────────────────────────────────────────────┴─────────────────────────┘

/** Most entries in a slot. */
export const WAYS: i32 = 16;
/** Bytes of an entry. */
export const ENTRY_SIZE: i32 = 16;
/** Most bytes of a slot. */
export const SLOT_SIZE: i32 = WAYS * ENTRY_SIZE;

/** The bits of an entry's first word that tell keys apart; the others are the code of the step. */
const FINGERPRINT: u64 = ~0xffff;

/** Returns the part of a key's hash that is kept; never 0, which marks free entries. */
// @ts-ignore: decorator
@inline
export function fingerprintOf(hash: u64): u64 {
  const kept = hash & FINGERPRINT;
  return kept == 0 ? 0x10000 : kept;
}

/**
 * Returns the offset of the entry for a fingerprint: its own; else one whose bucket is full, which loses nothing; else
 * a new one at the end (the offset is `size` then); else, when there is no room, the one that will be full soonest,
 * which loses least. A taken-over entry is reset to "full at 0", that is full. `lastEvictionLost` tells whether a
 * bucket in use was forgotten. `slot` has room for SLOT_SIZE bytes.
 */
export function claimEntry(slot: usize, size: i32, fingerprint: u64, now: i64): i32 {
  let victim = size;
  let soonest = i64.MAX_VALUE;
  lost = false;
  for (let at = 0; at + ENTRY_SIZE <= size; at += ENTRY_SIZE) {
    const owner = load<u64>(slot + at) & FINGERPRINT;
    if (owner == fingerprint) return at;
    const fullAt = owner == 0 ? i64.MIN_VALUE : load<i64>(slot + at, 8);
    if (fullAt < soonest) {
      soonest = fullAt;
      victim = at;
    }
  }
  if (soonest > now) {
    if (size < SLOT_SIZE) victim = size;
    else lost = true;
  }
  store<u64>(slot + victim, fingerprint);
  store<i64>(slot + victim, 0, 8);
  return victim;
}

let lost: bool = false;

/** Returns whether the last `claimEntry` made a bucket give way that was not full. */
export function lastEvictionLost(): bool {
  return lost;
}
