// consumes: a key of a request (a user, a session, a tenant), a salt, and shares
// produces: one of the shares, the same for the same key in every proxy and after every restart
// never does: move a key between two shares whose weights did not change
import { ABSENT, hash, HASH_SEED, Span, viewOf } from "./bytes";

/** Where the key comes from. */
export enum StickyKey {
  Header,
  Cookie,
  Query,
  Claim,
  /** The client's address as Envoy trusts it, without port. */
  SourceIp,
}

/** One share: what is chosen, and how often. */
export class StickyShare {
  constructor(
    /** What is handed to Envoy when the share is chosen. */
    readonly key: StaticArray<u8>,
    /** What the share is known by: its keys stay with it wherever it stands in the list. */
    readonly id: StaticArray<u8>,
    /** Above 0. */
    readonly weight: f64,
  ) {}
}

/**
 * Shares chosen by weighted rendezvous: every share draws -ln(u) / weight, where u in (0, 1) follows from salt, share
 * and key alone, and the smallest draw wins. A share gets weight / sum of the weights of all keys, and when a weight
 * grows, keys come to that share and none leaves it.
 */
export class StickySplit {
  shares: StickyShare[] = [];
  private readonly seed: u64;

  constructor(salt: Span) {
    this.seed = hash(salt, HASH_SEED);
  }

  /** Returns the share of a key, or null for a request without one (absent or empty). */
  choose(key: Span): StickyShare | null {
    if (key == ABSENT || i32(key >> 32) == 0) return null;
    const own = hash(key, this.seed);
    let best: StickyShare | null = null;
    let least = Infinity;
    for (let i = 0; i < this.shares.length; i++) {
      const share = unchecked(this.shares[i]);
      const draw = -NativeMath.log(unitOf(hash(viewOf(share.id), own))) / share.weight;
      if (best == null || draw < least) {
        best = share;
        least = draw;
      }
    }
    return best;
  }
}

/** Returns a number in (0, 1) from the upper 52 bits. */
function unitOf(bits: u64): f64 {
  return (f64(bits >> 12) + 0.5) / 4503599627370496.0;
}
