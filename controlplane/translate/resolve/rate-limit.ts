// The rate limits of a workload: RateLimitPolicies that select it, and the classic quotas bound to its services.
import type { RateLimitKeyPartSpec, RateLimitSpec } from "../../model/kinds/rate-limit-policy.ts";
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../store/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { RateLimit, RateLimitHeaders, RateLimitKeyPart, RateLimitOverride } from "../ir/rate-limit.ts";
import { intervalMs } from "./interval.ts";
import { resolveQuotas } from "./quota.ts";
import { selectPolicies } from "./workload-selector.ts";

/** All limits before one workload; every one whose match holds must admit a request. */
export interface RateLimits {
  readonly limits: readonly RateLimit[];
  readonly headers: RateLimitHeaders;
}

/** Returns the limits that stand before the proxy's workload: policies oldest first, then quotas. No limits: no filter is needed. */
export function resolveRateLimits(world: World, proxy: Pick<ProxyClass, "namespace" | "labels" | "workload">): RateLimits {
  const policies = selectPolicies(world, "RateLimitPolicy", proxy);
  const limits = [...policies.flatMap(limitsOf), ...resolveQuotas(world, proxy)];
  return {
    limits: withUniqueNames(limits),
    headers: policies.map((policy) => policy.spec.headers).find((headers) => headers !== undefined) ?? "none",
  };
}

/** Returns the rate limit filter's JSON configuration; see filters/ratelimit/config.schema.json. */
export function rateLimitConfiguration(limits: RateLimits): string {
  return JSON.stringify(limits);
}

function limitsOf(policy: MeshObject<"RateLimitPolicy">): readonly RateLimit[] {
  const { name, namespace } = policy.metadata;
  return policy.spec.limits.map((limit) => ({
    name: `${namespace}/${name}/${limit.name}`,
    ...(limit.match && { match: limit.match }),
    key: (limit.key ?? []).flatMap(keyPartOf),
    tokens: limit.requests,
    intervalMs: intervalMs(limit.per),
    burst: limit.burst ?? limit.requests,
    overrides: overridesOf(limit),
    ...(limit.shadow && { shadow: true }),
  }));
}

function keyPartOf(part: RateLimitKeyPartSpec): readonly RateLimitKeyPart[] {
  if (part.header !== undefined) return [{ header: part.header.toLowerCase() }];
  if (part.source !== undefined) return [{ source: part.source }];
  return part.path === true ? [{ path: true }] : [];
}

function overridesOf(limit: RateLimitSpec): readonly RateLimitOverride[] {
  return (limit.overrides ?? []).map((override, index) => ({
    name: override.principals[0] ?? String(index),
    principals: override.principals,
    tokens: override.requests,
    intervalMs: intervalMs(override.per ?? limit.per),
    burst: override.burst ?? override.requests,
  }));
}

/** Buckets are kept by limit name: a name that comes again gets a number, so that two limits never share a bucket. */
function withUniqueNames(limits: readonly RateLimit[]): readonly RateLimit[] {
  const seen = new Map<string, number>();
  return limits.map((limit) => {
    const times = (seen.get(limit.name) ?? 0) + 1;
    seen.set(limit.name, times);
    return times === 1 ? limit : { ...limit, name: `${limit.name}#${times}` };
  });
}
