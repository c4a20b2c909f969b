// consumes: the upstreams, inbound ports and way out of a proxy
// produces: its clusters and their endpoints, by name; the same maps for the same parts
// never does: copy what many proxies share into what is one proxy's own
import type { Cluster, ClusterLoadAssignment } from "../../../protos/build/envoy.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { layered } from "../../world/layered-map.ts";
import { memoized } from "../../world/memo.ts";
import type { InboundPort, OutboundProxy, ProxyIr } from "../ir/proxy.ts";
import type { Upstream } from "../ir/upstream.ts";
import { buildCluster } from "./cluster.ts";
import { buildLoadAssignment } from "./endpoint.ts";
import { buildInboundCluster } from "./inbound-cluster.ts";
import { PASSTHROUGH_CLUSTER, upstreamName } from "./names.ts";
import { byName, sorted } from "./resources.ts";
import { blackHoleCluster, connectCluster, passthroughCluster } from "./special-clusters.ts";

/** Returns the clusters: those of the upstreams, which many proxies share, and over them the proxy's own. */
export function clustersOf({ upstreams, trustDomain, inbound, outbound }: ProxyIr): ReadonlyMap<string, Cluster> {
  return layered(upstreamClusters(upstreams, trustDomain), ownClusters(inbound, outbound));
}

const upstreamClusters = memoized((upstreams: readonly Upstream[], trustDomain: string) =>
  oneClusterMap(byName(upstreams.map((upstream) => buildCluster(upstream, trustDomain)))),
);
const oneClusterMap = internedMaps<Cluster>();

const ownClusters = memoized((inbound: readonly InboundPort[], outbound: OutboundProxy | undefined) =>
  clustersFor({ inbound, outbound }),
);

/** Few, and the same for proxies whose applications have the same addresses. */
const clustersFor = interned(
  ({ inbound, outbound }: Pick<ProxyIr, "inbound"> & { readonly outbound: OutboundProxy | undefined }) => [
    inbound.map(({ filters: _, ...port }) => port),
    outbound?.unknownHosts,
  ],
  ({ inbound, outbound }): ReadonlyMap<string, Cluster> =>
    byName([
      ...inbound.map(buildInboundCluster),
      blackHoleCluster,
      ...(outbound ? [connectCluster] : []),
      ...(outbound?.unknownHosts === "forward" ? [passthroughCluster] : []),
    ]),
);

/** Returns the endpoints of those upstreams whose endpoints are told apart from them. */
export const endpointsOf = memoized((upstreams: readonly Upstream[]) =>
  oneEndpointMap(
    sorted(
      upstreams
        .filter((upstream) => upstream.discovery.kind === "endpoints")
        .map((upstream) => [upstreamName(upstream.id), buildLoadAssignment(upstream)]),
    ),
  ),
);
const oneEndpointMap = internedMaps<ClusterLoadAssignment>();

/** Returns the names of the clusters that lead to where a request's own host resolves; the same set for the same names. */
export const forwardClusters = memoized(
  (upstreams: readonly Upstream[], unknownHosts: OutboundProxy["unknownHosts"] | undefined) =>
    oneSet([
      ...upstreams.filter(({ discovery }) => discovery.kind === "forward").map(({ id }) => upstreamName(id)),
      ...(unknownHosts === "forward" ? [PASSTHROUGH_CLUSTER] : []),
    ]),
);
const oneSet = interned(
  (names: readonly string[]) => [...names].sort(),
  (names): ReadonlySet<string> => new Set(names),
);
