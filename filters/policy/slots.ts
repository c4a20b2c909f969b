// consumes: the bytes of one slot of a shared table, a key's fingerprint
// produces: where the key's state stands in it, or which entry gives way
// never does: grow: a slot has a fixed number of entries
//
//   slot: WAYS × ┌ u64 fingerprint ┬ i64 fullAt (scaled time) ┐   a fingerprint of 0 is a free entry
//                └─────────────────┴──────────────────────────┘

/** Entries in a slot. */
export const WAYS: i32 = 8;
/** Bytes of an entry. */
export const ENTRY_SIZE: i32 = 16;
/** Bytes of a slot. */
export const SLOT_SIZE: i32 = WAYS * ENTRY_SIZE;

/** Returns a fingerprint that is never 0, which marks free entries. */
// @ts-ignore: decorator
@inline
export function fingerprintOf(hash: u64): u64 {
  return hash == 0 ? 1 : hash;
}

/**
 * Returns the offset of the entry for a fingerprint: its own; else a free one; else the one whose bucket is full or will be soonest, which
 * loses least. A taken-over entry is reset to "full at 0", that is full. `lastEvictionLost` tells whether a bucket in use was forgotten.
 */
export function claimEntry(slot: usize, size: i32, fingerprint: u64, now: i64): i32 {
  let victim = 0;
  let soonest = i64.MAX_VALUE;
  lost = false;
  for (let at = 0; at + ENTRY_SIZE <= size; at += ENTRY_SIZE) {
    const owner = load<u64>(slot + at);
    if (owner == fingerprint) return at;
    const fullAt = owner == 0 ? i64.MIN_VALUE : load<i64>(slot + at, 8);
    if (fullAt < soonest) {
      soonest = fullAt;
      victim = at;
    }
  }
  lost = soonest > now;
  store<u64>(slot + victim, fingerprint);
  store<i64>(slot + victim, 0, 8);
  return victim;
}

let lost: bool = false;

/** Returns whether the last `claimEntry` made a bucket give way that was not full. */
export function lastEvictionLost(): bool {
  return lost;
}
