// What was found out about tokens, by their digests: it is asked for again after a while, and not kept for ever.
import type { Failure } from "../model/failure.ts";
import type { TokenOwner } from "./token-owner.ts";

export interface KnownToken {
  readonly owner: TokenOwner;
  /** By the clock that never goes back. */
  readonly reviewedAtMs: number;
}

export interface KnownTokens {
  ownerOf(digest: string): KnownToken | undefined;
  refusalOf(digest: string, nowMs: number): Failure<"unproven"> | undefined;
  keep(digest: string, token: KnownToken): void;
  refuse(digest: string, refusal: Failure<"unproven">, nowMs: number): void;
}

/** A proxy has one token, and another every few hours. */
const MOST_TOKENS = 20_000;
const MOST_REFUSALS = 2_000;
/** Short: a pod may be asked for before all of the API server knows it. */
const REFUSED_MS = 3_000;

/** Nothing is known yet. */
export function createKnownTokens(): KnownTokens {
  const owners = new Map<string, KnownToken>();
  const refusals = new Map<string, { readonly refusal: Failure<"unproven">; readonly untilMs: number }>();
  return {
    ownerOf: (digest) => owners.get(digest),
    refusalOf(digest, nowMs) {
      const known = refusals.get(digest);
      return known !== undefined && known.untilMs > nowMs ? known.refusal : undefined;
    },
    keep(digest, token) {
      refusals.delete(digest);
      putLast(owners, digest, token, MOST_TOKENS);
    },
    refuse(digest, refusal, nowMs) {
      owners.delete(digest);
      putLast(refusals, digest, { refusal, untilMs: nowMs + REFUSED_MS }, MOST_REFUSALS);
    },
  };
}

/** The one that was put first gives way: tokens in use are put anew whenever they are reviewed. */
function putLast<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
