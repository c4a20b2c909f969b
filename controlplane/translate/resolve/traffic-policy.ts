// A DestinationRule's policy in the IR's words: load balancing, limits, outlier ejection.
import { parseDurationMs } from "../../model/duration.ts";
import type {
  ConnectionPoolSpec,
  LoadBalancerSpec,
  OutlierDetectionSpec,
  TrafficPolicySpec,
} from "../../model/kinds/destination-rule.ts";
import type {
  ConnectionLimits,
  HashKey,
  LoadBalancer,
  OutlierEjection,
  UpstreamProtocol,
  WarmUp,
} from "../ir/upstream.ts";
import type { PortProtocol } from "./protocol.ts";

/** Istio's smallest ring. */
const DEFAULT_RING_SIZE = 1_024;
/** Envoy wants a timeout for its pings; Istio names none. */
const DEFAULT_KEEPALIVE_TIMEOUT_MS = 20_000;
const DEFAULT_EJECTION_INTERVAL_MS = 10_000;
const DEFAULT_EJECTION_MS = 30_000;
const DEFAULT_EJECTION_PERCENT = 10;
const DEFAULT_BUDGET_PERCENT = 20;
const DEFAULT_BUDGET_MINIMUM = 3;

/**
 * Returns how a host of several is picked; least request unless the policy says otherwise.
 */
export function resolveLoadBalancer(spec: LoadBalancerSpec | undefined): LoadBalancer {
  const hash = spec?.consistentHash;
  const key = hash && hashKey(hash);
  if (hash !== undefined && key !== undefined) {
    if (hash.maglev !== undefined)
      return {
        kind: "consistentHash",
        key,
        algorithm: "maglev",
        ...(hash.maglev.tableSize && { tableSize: hash.maglev.tableSize }),
      };
    return {
      kind: "consistentHash",
      key,
      algorithm: "ringHash",
      minimumSize: hash.ringHash?.minimumRingSize || hash.minimumRingSize || DEFAULT_RING_SIZE,
    };
  }
  if (spec?.simple === "RANDOM") return { kind: "random" };
  if (spec?.simple === "PASSTHROUGH") return { kind: "passthrough" };
  const warmUp = resolveWarmUp(spec);
  return { kind: spec?.simple === "ROUND_ROBIN" ? "roundRobin" : "leastRequest", ...(warmUp && { warmUp }) };
}

const DEFAULT_AGGRESSION = 1;
const DEFAULT_MINIMUM_PERCENT = 10;

/** The deprecated form leaves the rest to Envoy, as in Istio. */
function resolveWarmUp({ warmup, warmupDurationSecs }: LoadBalancerSpec = {}): WarmUp | undefined {
  if (warmup !== undefined)
    return {
      durationMs: durationMs(warmup.duration) ?? 0,
      aggression: warmup.aggression ?? DEFAULT_AGGRESSION,
      minimumPercent: warmup.minimumPercent ?? DEFAULT_MINIMUM_PERCENT,
    };
  const ms = durationMs(warmupDurationSecs);
  return ms === undefined ? undefined : { durationMs: ms };
}

function hashKey(hash: NonNullable<LoadBalancerSpec["consistentHash"]>): HashKey | undefined {
  if (hash.httpHeaderName !== undefined) return { kind: "header", name: hash.httpHeaderName.toLowerCase() };
  if (hash.httpCookie !== undefined) {
    const ttlMs = durationMs(hash.httpCookie.ttl);
    return {
      kind: "cookie",
      name: hash.httpCookie.name,
      path: hash.httpCookie.path ?? "",
      attributes: (hash.httpCookie.attributes ?? []).map(({ name, value = "" }) => ({ name, value })),
      ...(ttlMs !== undefined && { ttlMs }),
    };
  }
  if (hash.httpQueryParameterName !== undefined) return { kind: "queryParameter", name: hash.httpQueryParameterName };
  return hash.useSourceIp === true ? { kind: "sourceIp" } : undefined;
}

/** Returns the limits of a connection pool, and of retries; what is absent has no limit. */
export function resolveLimits(
  { connectionPool, retryBudget }: Pick<TrafficPolicySpec, "connectionPool" | "retryBudget">,
  connectTimeoutMs: number,
): ConnectionLimits {
  const { tcp, http } = connectionPool ?? {};
  const keepalive = tcp?.tcpKeepalive;
  return withoutUndefined({
    connectTimeoutMs: durationMs(tcp?.connectTimeout) ?? connectTimeoutMs,
    maxConnections: positive(tcp?.maxConnections),
    tcpKeepalive:
      keepalive &&
      withoutUndefined({
        probes: keepalive.probes,
        timeMs: durationMs(keepalive.time),
        intervalMs: durationMs(keepalive.interval),
      }),
    maxConnectionDurationMs: durationMs(tcp?.maxConnectionDuration),
    maxPendingRequests: positive(http?.http1MaxPendingRequests),
    maxRequests: positive(http?.http2MaxRequests),
    maxRequestsPerConnection: positive(http?.maxRequestsPerConnection),
    maxRetries: positive(http?.maxRetries),
    retryBudget: retryBudget && {
      percent: retryBudget.percent ?? DEFAULT_BUDGET_PERCENT,
      minimum: retryBudget.minRetryConcurrency || DEFAULT_BUDGET_MINIMUM,
    },
    idleTimeoutMs: durationMs(http?.idleTimeout) ?? durationMs(tcp?.idleTimeout),
    tcpIdleTimeoutMs: durationMs(tcp?.idleTimeout),
    maxConcurrentStreams: positive(http?.maxConcurrentStreams),
    http2KeepAlive:
      http?.http2KeepAlive &&
      withoutUndefined({
        intervalMs: durationMs(http.http2KeepAlive.interval),
        timeoutMs: durationMs(http.http2KeepAlive.timeout) ?? DEFAULT_KEEPALIVE_TIMEOUT_MS,
      }),
  });
}

/** Returns passive health checking, with Istio's defaults for what is not given. */
export function resolveOutlier(spec: OutlierDetectionSpec | undefined): OutlierEjection | undefined {
  if (spec === undefined) return undefined;
  return withoutUndefined({
    consecutive5xx: spec.consecutive5xxErrors,
    // The deprecated field counted gateway errors, as Istio still reads it.
    consecutiveGateway: spec.consecutiveGatewayErrors ?? spec.consecutiveErrors,
    consecutiveLocalOrigin: spec.consecutiveLocalOriginFailures,
    splitLocalOrigin: spec.splitExternalLocalOriginErrors === true,
    intervalMs: durationMs(spec.interval) ?? DEFAULT_EJECTION_INTERVAL_MS,
    baseEjectionMs: durationMs(spec.baseEjectionTime) ?? DEFAULT_EJECTION_MS,
    maxEjectionPercent: spec.maxEjectionPercent || DEFAULT_EJECTION_PERCENT,
    minHealthPercent: spec.minHealthPercent ?? 0,
    errorCodes: spec.outlierDetectionHttpErrorCodes?.length ? spec.outlierDetectionHttpErrorCodes : undefined,
  });
}

/** Returns what is spoken to the hosts of a port, given what the port speaks and what the policy makes of it. */
export function resolveUpstreamProtocol(protocol: PortProtocol, http: ConnectionPoolSpec["http"]): UpstreamProtocol {
  if (protocol === "http2" || protocol === "grpc") return "http2";
  if (protocol !== "http" && protocol !== "auto") return "tcp";
  // A port that says nothing is not upgraded: its application gets what the client spoke.
  if (protocol === "http" && http?.h2UpgradePolicy === "UPGRADE") return "http2";
  if (http?.useClientProtocol === true) return "downstream";
  return protocol === "auto" ? "auto" : "http1";
}

/** Returns milliseconds; undefined for what is absent. */
export function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
