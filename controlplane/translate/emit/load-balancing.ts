// How a host of a cluster is picked.
import type { Cluster, Cluster_CommonLbConfig, Cluster_SlowStartConfig } from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { Upstream, WarmUp } from "../ir/upstream.ts";

/**
 * Returns the load balancing fields of a cluster. Where the cluster itself says which host, there is nothing to pick.
 */
export function buildLoadBalancing({ discovery, loadBalancer }: Upstream): Cluster {
  if (discovery.kind === "forward" || discovery.kind === "original") return {};
  const warmUp = "warmUp" in loadBalancer ? loadBalancer.warmUp : undefined;
  switch (loadBalancer.kind) {
    case "roundRobin":
      return { lbPolicy: "ROUND_ROBIN", ...(warmUp && { roundRobinLbConfig: { slowStartConfig: slowStart(warmUp) } }) };
    case "random":
      return { lbPolicy: "RANDOM" };
    case "passthrough":
    case "leastRequest":
      return {
        lbPolicy: "LEAST_REQUEST",
        ...(warmUp && { leastRequestLbConfig: { slowStartConfig: slowStart(warmUp) } }),
      };
    case "consistentHash":
      if (loadBalancer.algorithm === "maglev")
        return {
          lbPolicy: "MAGLEV",
          ...(loadBalancer.tableSize && { maglevLbConfig: { tableSize: loadBalancer.tableSize } }),
        };
      return {
        lbPolicy: "RING_HASH",
        ...(loadBalancer.minimumSize && { ringHashLbConfig: { minimumRingSize: loadBalancer.minimumSize } }),
      };
  }
}

/** Envoy wants a name under which its runtime might say something else. */
const AGGRESSION_KEY = "upstream.slow_start.aggression";

function slowStart({ durationMs, aggression, minimumPercent }: WarmUp): Cluster_SlowStartConfig {
  return {
    slowStartWindow: durationFromMs(durationMs),
    ...(aggression !== undefined && { aggression: { defaultValue: aggression, runtimeKey: AGGRESSION_KEY } }),
    ...(minimumPercent !== undefined && { minWeightPercent: { value: minimumPercent } }),
  };
}

/** Returns what localities are to the load balancing of a cluster. */
export function buildSpread({ spread }: Upstream): Cluster_CommonLbConfig {
  if (spread === undefined) return {};
  if (spread.kind === "weights") return { localityWeightedLbConfig: {} };
  return {
    zoneAwareLbConfig: {
      ...(!spread.enabled && { routingEnabled: { value: 0 } }),
      ...(spread.minClusterSize !== undefined && { minClusterSize: spread.minClusterSize }),
    },
  };
}
