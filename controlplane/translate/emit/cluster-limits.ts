// Limits of a cluster: circuit breakers, keepalive, passive health checking.
import type { Cluster, OutlierDetection } from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { ConnectionLimits, OutlierEjection } from "../ir/upstream.ts";

/** As in Istio what nobody limits is not limited, where Envoy itself would stop at 1,024 (and 3 retries). */
const UNLIMITED = 4_294_967_295;

/** Returns the fields of a cluster that limit what may be open at once. */
export function buildLimits(limits: ConnectionLimits): Cluster {
  const keepalive = limits.tcpKeepalive;
  return {
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: limits.maxConnections ?? UNLIMITED,
          maxPendingRequests: limits.maxPendingRequests ?? UNLIMITED,
          maxRequests: limits.maxRequests ?? UNLIMITED,
          maxRetries: limits.maxRetries ?? UNLIMITED,
          ...(limits.retryBudget && {
            retryBudget: {
              budgetPercent: { value: limits.retryBudget.percent },
              minRetryConcurrency: limits.retryBudget.minimum,
            },
          }),
          trackRemaining: true,
        },
      ],
    },
    ...(keepalive && {
      upstreamConnectionOptions: {
        tcpKeepalive: {
          ...(keepalive.probes !== undefined && { keepaliveProbes: keepalive.probes }),
          ...(keepalive.timeMs !== undefined && { keepaliveTime: wholeSeconds(keepalive.timeMs) }),
          ...(keepalive.intervalMs !== undefined && { keepaliveInterval: wholeSeconds(keepalive.intervalMs) }),
        },
      },
    }),
  };
}

/**
 * Returns passive health checking. A threshold of 0 turns that way of counting off; success rates are never looked at.
 */
export function buildOutlierDetection(outlier: OutlierEjection): OutlierDetection {
  const { consecutive5xx, consecutiveGateway, consecutiveLocalOrigin } = outlier;
  return {
    ...(consecutive5xx !== undefined && {
      enforcingConsecutive5xx: consecutive5xx > 0 ? 100 : 0,
      ...(consecutive5xx > 0 && { consecutive5xx }),
    }),
    ...(consecutiveGateway !== undefined && {
      enforcingConsecutiveGatewayFailure: consecutiveGateway > 0 ? 100 : 0,
      ...(consecutiveGateway > 0 && { consecutiveGatewayFailure: consecutiveGateway }),
    }),
    ...(consecutiveLocalOrigin !== undefined && {
      enforcingConsecutiveLocalOriginFailure: consecutiveLocalOrigin > 0 ? 100 : 0,
      ...(consecutiveLocalOrigin > 0 && { consecutiveLocalOriginFailure: consecutiveLocalOrigin }),
    }),
    ...(outlier.splitLocalOrigin && { splitExternalLocalOriginErrors: true }),
    interval: durationFromMs(outlier.intervalMs),
    baseEjectionTime: durationFromMs(outlier.baseEjectionMs),
    maxEjectionPercent: outlier.maxEjectionPercent,
    enforcingSuccessRate: 0,
  };
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1_000));
}
