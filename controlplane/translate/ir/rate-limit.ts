// How many requests a workload takes, as the rate limit filter reads it.
import type { UpstreamId } from "./upstream.ts";

export interface RateLimitMatch {
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly hosts?: readonly string[];
}

/** What a part of a key is taken from. */
export type RateLimitKeySource =
  | { readonly header: string }
  | { readonly source: "principal" | "namespace" | "serviceAccount" | "ip" | "remoteIp" }
  | { readonly path: true }
  /** Which of these the path matches first. */
  | { readonly pathTemplate: readonly string[] }
  /** What the first `{*}` stands for. */
  | { readonly pathCapture: string }
  /** The names that lead to a claim of the verified token. */
  | { readonly claim: readonly string[] }
  | { readonly route: true };

/** `as`: what a rate limit service knows the part as. */
export type RateLimitKeyPart = RateLimitKeySource & { readonly as?: string };

/**
 * A bucket of its own for some callers (principals without `spiffe://`) or for some keys (a pattern for each part, `*`
 * any); with both, for those in both.
 */
export interface RateLimitOverride extends Bucket {
  /** Unique in its limit. */
  readonly name: string;
  readonly principals?: readonly string[];
  readonly values?: readonly string[];
  /** A bucket for each key; else one. */
  readonly perKey?: boolean;
}

/**
 * What a request takes: a number, or what a header says (`max` where it says no number, `default` where it is not
 * there).
 */
export type RateLimitCost =
  | number
  | { readonly header: string; readonly default?: number; readonly min?: number; readonly max: number };

/** A service that decides for all proxies together. */
export interface GlobalRateLimit {
  readonly service: UpstreamId;
  readonly domain: string;
  readonly descriptor: readonly { readonly key: string; readonly value: string }[];
  readonly timeoutMs?: number;
  readonly stalenessMs?: number;
  readonly lease?: number;
  readonly failure: "open" | "closed" | "local";
}

/** Numbers of a bucket. */
export interface Bucket {
  readonly tokens: number;
  readonly intervalMs: number;
  readonly burst: number;
}

interface LimitedRequests {
  /** `<namespace>/<policy>/<limit>`, unique in a proxy. */
  readonly name: string;
  readonly match?: RateLimitMatch;
  /** Empty: one bucket for everybody. */
  readonly key: readonly RateLimitKeyPart[];
  readonly overrides: readonly RateLimitOverride[];
  /** 1 unless given. */
  readonly cost?: RateLimitCost;
  /** Counted and reported, never refused. */
  readonly shadow?: boolean;
}

/**
 * A token bucket of this proxy's own that holds `burst` and regains `tokens` per interval, one for each distinct value
 * of the key.
 */
export type LocalRateLimit = LimitedRequests & Bucket & { readonly global?: undefined };

/** A limit that a service decides; the numbers are for the time in which it does not answer. */
export type SharedRateLimit = LimitedRequests & Partial<Bucket> & { readonly global: GlobalRateLimit };

export type RateLimit = LocalRateLimit | SharedRateLimit;

/** Which response headers tell a client its limits. */
export type RateLimitHeaders = "none" | "draft" | "draft-03" | "legacy";
