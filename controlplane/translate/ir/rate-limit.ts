// How many requests a workload takes: IR of limits, in the shapes that the rate limit filter reads. What each field
// means stands in filters/ratelimit/config.schema.ts.
import type {
  configSchema,
  globalSchema,
  keyPartSchema,
  limitSchema,
  overrideSchema,
} from "../../../filters/ratelimit/config.schema.ts";
import type { SpecFrom } from "../../model/schema.ts";
import type { UpstreamId } from "./upstream.ts";

/** What the filter is told. */
export type RateLimitConfiguration = SpecFrom<typeof configSchema>;
export type GlobalConfiguration = SpecFrom<typeof globalSchema>;

type Limit = SpecFrom<typeof limitSchema>;
type Override = SpecFrom<typeof overrideSchema>;

export type RateLimitMatch = NonNullable<Limit["match"]>;
export type RateLimitKeyPart = SpecFrom<typeof keyPartSchema>;
export type RateLimitCost = NonNullable<Limit["cost"]>;

/** Which response headers tell a client its limits. */
export type RateLimitHeaders = NonNullable<RateLimitConfiguration["headers"]>;

/** Numbers of a bucket, all of them written out. */
export type Bucket = Required<Pick<Limit, "tokens" | "intervalMs" | "burst">>;

/** A bucket of its own for some callers or for some keys; with both, for those in both. */
export type RateLimitOverride = Override & Bucket;

/** A service that decides for all proxies together. */
export type GlobalRateLimit = Omit<GlobalConfiguration, "cluster" | "authority"> & {
  readonly service: UpstreamId;
};

/** What all limits say; the name is `<namespace>/<policy>/<limit>`, unique in a proxy. */
type LimitedRequests = Omit<Limit, keyof Bucket | "key" | "overrides" | "global"> & {
  readonly key: readonly RateLimitKeyPart[];
  readonly overrides: readonly RateLimitOverride[];
};

/** A token bucket of this proxy's own, one for each distinct value of the key. */
export type LocalRateLimit = LimitedRequests & Bucket & { readonly global?: undefined };

/** A limit that a service decides; the numbers are for the time in which it does not answer. */
export type SharedRateLimit = LimitedRequests & Partial<Bucket> & { readonly global: GlobalRateLimit };

export type RateLimit = LocalRateLimit | SharedRateLimit;
