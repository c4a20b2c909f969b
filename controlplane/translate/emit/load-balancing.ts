// How a host of a cluster is picked.
import type { Cluster } from "../../../protos/build/envoy.ts";
import type { Upstream } from "../ir/upstream.ts";

/** Envoy's largest Maglev table. */
const MAX_TABLE = 5_000_011;

/** Returns the load balancing fields of a cluster. Where the cluster itself says which host, there is nothing to pick. */
export function buildLoadBalancing({ discovery, loadBalancer }: Upstream): Cluster {
  if (discovery.kind === "forward") return {};
  switch (loadBalancer.kind) {
    case "roundRobin": return { lbPolicy: "ROUND_ROBIN" };
    case "random": return { lbPolicy: "RANDOM" };
    case "leastRequest": return { lbPolicy: "LEAST_REQUEST" };
    case "consistentHash":
      if (loadBalancer.algorithm === "maglev") return { lbPolicy: "MAGLEV", ...(loadBalancer.tableSize && { maglevLbConfig: { tableSize: primeFrom(loadBalancer.tableSize) } }) };
      return { lbPolicy: "RING_HASH", ...(loadBalancer.minimumSize && { ringHashLbConfig: { minimumRingSize: loadBalancer.minimumSize } }) };
  }
}

/** Envoy refuses a table whose size is no prime: the next one is as good. */
function primeFrom(size: number): number {
  for (let candidate = Math.max(size, 2); candidate < MAX_TABLE; candidate++) if (isPrime(candidate)) return candidate;
  return MAX_TABLE;
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}
