// The rate limits of a workload: RateLimitPolicies that select it, and the classic quotas bound to its services.
import { resolveHost } from "../../model/hosts.ts";
import type {
  GlobalRateLimitSpec,
  RateLimitCostSpec,
  RateLimitKeyPartSpec,
  RateLimitSpec,
} from "../../model/kinds/rate-limit-policy.ts";
import type { Labels } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type {
  Bucket,
  GlobalConfiguration,
  GlobalRateLimit,
  RateLimit,
  RateLimitConfiguration,
  RateLimitCost,
  RateLimitHeaders,
  RateLimitKeyPart,
  RateLimitOverride,
} from "../ir/rate-limit.ts";
import { type Upstream, upstreamText } from "../ir/upstream.ts";
import { intervalMs } from "./interval.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { resolveQuotas } from "./quota.ts";
import { visibleHost } from "./registry.ts";
import { missingUpstream, serviceUpstream } from "./upstream.ts";
import { selectPolicies } from "./workload-selector.ts";

/** All limits before one workload; every one whose match holds must admit a request. */
export interface RateLimits {
  readonly limits: readonly RateLimit[];
  readonly headers: RateLimitHeaders;
}

/**
 * Returns the limits that stand before the proxy's workload: policies oldest first, then quotas. No limits: no filter
 * is needed.
 */
export function resolveRateLimits(
  world: World,
  proxy: Pick<ProxyClass, "namespace" | "labels" | "workload">,
): RateLimits {
  const policies = selectPolicies(world, "RateLimitPolicy", proxy);
  const limits = [
    ...policies.flatMap((policy) => limitsOf(world, policy, proxy.namespace)),
    ...resolveQuotas(world, proxy),
  ];
  return {
    limits: withUniqueNames(limits),
    headers: policies.map((policy) => policy.spec.headers).find((headers) => headers !== undefined) ?? "none",
  };
}

/** Returns the rate limit filter's JSON configuration; see filters/ratelimit/config.schema.json. */
export function rateLimitConfiguration({ limits, headers }: RateLimits): string {
  const configuration: RateLimitConfiguration = {
    limits: limits.map(({ global, ...limit }) => ({
      ...limit,
      ...(global && { global: globalConfiguration(global) }),
    })),
    headers,
  };
  return JSON.stringify(configuration);
}

function globalConfiguration({ service, ...rest }: GlobalRateLimit): GlobalConfiguration {
  // An upstream's name is no :authority that a server would take.
  return { cluster: upstreamText(service), authority: service.host, ...rest };
}

/**
 * Returns the upstreams of the services that a proxy's limits ask: it needs them even where its workload may not call
 * them.
 */
export const rateLimitUpstreams = derived(
  (world: World, namespace: string, labels: Labels, workload: string): readonly Upstream[] => {
    const services = resolveRateLimits(world, { namespace, labels, workload }).limits.flatMap(({ global }) =>
      global ? [global.service] : [],
    );
    return [
      ...new Set(services.map((id) => serviceUpstream(world, namespace, labels, id) ?? missingUpstream(world, id))),
    ];
  },
  { keyOf: (namespace, labels, workload) => `${namespace} ${labelsKey(labels)} ${workload}`, same: sameItems },
);

function limitsOf(world: World, policy: MeshObject<"RateLimitPolicy">, client: string): readonly RateLimit[] {
  const { name, namespace } = policy.metadata;
  return policy.spec.limits.flatMap((limit): readonly RateLimit[] => {
    const common = {
      name: `${namespace}/${name}/${limit.name}`,
      ...inFilterWords(limit),
      key: (limit.key ?? []).flatMap(keyPartOf),
    };
    const rest = {
      ...(limit.cost && { cost: costOf(limit.cost) }),
      ...(limit.shadow && { shadow: true }),
    };
    const bucket = bucketOf(limit);
    if (limit.global === undefined)
      return bucket === undefined ? [] : [{ ...common, ...bucket, overrides: overridesOf(limit), ...rest }];
    const global = globalOf(world, limit.global, namespace, client);
    return [
      global.failure === "local"
        ? { ...common, ...bucket, overrides: overridesOf(limit), ...rest, global }
        : { ...common, overrides: [], ...rest, global },
    ];
  });
}

/** What a policy says of a limit in the very words that the filter reads. */
function inFilterWords(limit: RateLimitSpec) {
  const { name, key, requests, per, burst, overrides, cost, shadow, global, ...same } = limit;
  return same;
}

function bucketOf({ requests, per, burst }: Pick<RateLimitSpec, "requests" | "per" | "burst">): Bucket | undefined {
  return requests === undefined || per === undefined
    ? undefined
    : { tokens: requests, intervalMs: intervalMs(per), burst: burst ?? requests };
}

function keyPartOf({ as, ...part }: RateLimitKeyPartSpec): readonly RateLimitKeyPart[] {
  const source = keySourceOf(part);
  return source === undefined ? [] : [{ ...source, ...(as !== undefined && { as }) }];
}

function keySourceOf(part: RateLimitKeyPartSpec): RateLimitKeyPart | undefined {
  if (part.header !== undefined) return { header: part.header.toLowerCase() };
  if (part.source !== undefined) return { source: part.source };
  if (part.pathTemplate !== undefined) return { pathTemplate: part.pathTemplate };
  if (part.pathCapture !== undefined) return { pathCapture: part.pathCapture };
  if (part.claim !== undefined) return { claim: part.claim };
  if (part.route === true) return { route: true };
  return part.path === true ? { path: true } : undefined;
}

function costOf({ requests, header, default: otherwise, min, max }: RateLimitCostSpec): RateLimitCost {
  if (header === undefined || max === undefined) return requests ?? 1;
  return {
    header: header.toLowerCase(),
    ...(otherwise !== undefined && { default: otherwise }),
    ...(min !== undefined && { min }),
    max,
  };
}

/**
 * The name is what an override's bucket is kept under: one that comes again gets a number, so that two overrides never
 * share a bucket.
 */
function overridesOf(limit: RateLimitSpec): readonly RateLimitOverride[] {
  const overrides = (limit.overrides ?? []).map((override, index) => ({
    name: override.name ?? override.principals?.[0] ?? override.values?.join(" ") ?? String(index),
    ...(override.principals && { principals: override.principals }),
    ...(override.values && { values: override.values }),
    ...(override.perKey === true && { perKey: true }),
    tokens: override.requests,
    intervalMs: intervalMs(override.per ?? limit.per ?? "1s"),
    burst: override.burst ?? override.requests,
  }));
  return withUniqueNames(overrides);
}

/**
 * A missing port means the service's only one. Nobody answers at a service that was not declared: the failure mode
 * decides.
 */
function globalOf(world: World, spec: GlobalRateLimitSpec, owner: string, client: string): GlobalRateLimit {
  const host = resolveHost(spec.host, owner);
  const ports = visibleHost(world, client, host)?.ports ?? [];
  return {
    service: {
      direction: "outbound",
      port: spec.port ?? (ports.length === 1 ? ports[0]?.number : undefined) ?? DEFAULT_SERVICE_PORT,
      subset: "",
      host,
    },
    domain: spec.domain,
    descriptor: spec.descriptor ?? [],
    ...(spec.timeout !== undefined && { timeoutMs: intervalMs(spec.timeout) }),
    ...(spec.staleness !== undefined && { stalenessMs: intervalMs(spec.staleness) }),
    ...(spec.lease !== undefined && { lease: spec.lease }),
    failure: spec.failure,
  };
}

/** Where Envoy's own rate limit service listens for gRPC unless told otherwise. */
const DEFAULT_SERVICE_PORT = 8081;

/** Buckets are kept by limit name: a name that comes again gets a number, so that two limits never share a bucket. */
function withUniqueNames<T extends { readonly name: string }>(limits: readonly T[]): readonly T[] {
  const seen = new Map<string, number>();
  return limits.map((limit) => {
    const times = (seen.get(limit.name) ?? 0) + 1;
    seen.set(limit.name, times);
    return times === 1 ? limit : { ...limit, name: `${limit.name}#${times}` };
  });
}
