// How a host of a cluster is picked.
import type { Cluster } from "../../../protos/build/envoy.ts";
import type { Upstream } from "../ir/upstream.ts";

/**
 * Returns the load balancing fields of a cluster. Where the cluster itself says which host, there is nothing to pick.
 */
export function buildLoadBalancing({ discovery, loadBalancer }: Upstream): Cluster {
  if (discovery.kind === "forward") return {};
  switch (loadBalancer.kind) {
    case "roundRobin":
      return { lbPolicy: "ROUND_ROBIN" };
    case "random":
      return { lbPolicy: "RANDOM" };
    case "leastRequest":
      return { lbPolicy: "LEAST_REQUEST" };
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
