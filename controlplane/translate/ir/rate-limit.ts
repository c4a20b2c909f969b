// How many requests a workload takes, as the rate limit filter reads it.

export interface RateLimitMatch {
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly hosts?: readonly string[];
}

export type RateLimitKeyPart =
  | { readonly header: string }
  | { readonly source: "principal" | "namespace" | "ip" }
  | { readonly path: true };

/** A bucket of its own for some callers; principals without `spiffe://`. */
export interface RateLimitOverride {
  readonly name: string;
  readonly principals: readonly string[];
  readonly tokens: number;
  readonly intervalMs: number;
  readonly burst: number;
}

/** A token bucket that holds `burst` and regains `tokens` per interval, one for each distinct value of the key. */
export interface RateLimit {
  /** `<namespace>/<policy>/<limit>`, unique in a proxy. */
  readonly name: string;
  readonly match?: RateLimitMatch;
  /** Empty: one bucket for everybody. */
  readonly key: readonly RateLimitKeyPart[];
  readonly tokens: number;
  readonly intervalMs: number;
  readonly burst: number;
  readonly overrides: readonly RateLimitOverride[];
  /** What one request takes out; 1 unless given. */
  readonly cost?: number;
  /** Counted and reported, never refused. */
  readonly shadow?: boolean;
}

/** Which response headers tell a client its limits. */
export type RateLimitHeaders = "none" | "draft" | "legacy";
