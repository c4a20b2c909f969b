// consumes: the upstreams and the way out of a class of proxies; where one proxy's applications are
// produces: clusters and their endpoints, by name; the same maps for the same parts
// never does: copy what a class shares into what is one proxy's own
import type { Cluster, ClusterLoadAssignment } from "../../../protos/build/envoy.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import { type PlacedInboundPort, placeInbound } from "../ir/places.ts";
import type { CapturedInbound, ClassIr, InboundPort, UnknownHosts } from "../ir/proxy.ts";
import type { MeshProxy } from "../ir/proxy-class.ts";
import type { Upstream } from "../ir/upstream.ts";
import { buildCluster } from "./cluster.ts";
import { buildLoadAssignment } from "./endpoint.ts";
import { buildCapturedCluster, buildInboundCluster, inboundPassthroughCluster } from "./inbound-cluster.ts";
import { upstreamName } from "./names.ts";
import { byName, sorted } from "./resources.ts";
import { blackHoleCluster, connectClusters, originalCluster, unknownHostsClusters } from "./special-clusters.ts";

/**
 * Returns what of a class's requests for unknown hosts is looked up by DNS: all where programs name a host alone; where
 * connections say by themselves where they were going, what the mesh wants looked up. Undefined: nothing.
 */
export function lookedUpHosts({ outbound, capturedOutbound }: WaysOut): UnknownHosts | undefined {
  if (outbound !== undefined) return outbound.unknownHosts;
  return capturedOutbound?.unknownHosts === "forwardByDns" ? "forwardByDns" : undefined;
}

type WaysOut = Pick<ClassIr, "outbound" | "capturedOutbound">;

/** Returns the clusters of a class: of its upstreams, and those that stand for no service. */
export function classClusters(ir: ClassIr): ReadonlyMap<string, Cluster> {
  const { upstreams, trustDomains, outbound, capturedOutbound } = ir;
  const goesOn = capturedOutbound !== undefined && capturedOutbound.unknownHosts !== "refuse";
  return sharedClusters(upstreams, trustDomains, lookedUpHosts(ir), outbound !== undefined, goesOn);
}

const sharedClusters = memoized(
  (
    upstreams: readonly Upstream[],
    trustDomains: string,
    lookedUp: UnknownHosts | undefined,
    isExplicit: boolean,
    goesOn: boolean,
  ) =>
    oneClusterMap(
      byName([
        ...upstreams.map((upstream) => buildCluster(upstream, trustDomains)),
        blackHoleCluster,
        ...(isExplicit ? connectClusters : []),
        ...unknownHostsClusters(lookedUp),
        ...(goesOn ? [originalCluster] : []),
      ]),
    ),
);
const oneClusterMap = internedMaps<Cluster>();

/** Returns the clusters of a proxy's own: they lead to its applications. */
export const ownClusters = memoized(
  (inbound: readonly InboundPort[], captured: CapturedInbound | undefined, own: MeshProxy) =>
    captured ? capturedClusters(inbound) : applicationClusters(placeInbound(inbound, own)),
);

/** What of a port its cluster is made from; what stands before it may hold modules. */
function clusterPart({ port, protocol, service, target, limits }: InboundPort) {
  return { port, protocol, service, target, limits };
}

const capturedClusters = interned(
  (ports: readonly InboundPort[]) => ports.map(clusterPart),
  (ports): ReadonlyMap<string, Cluster> => byName([...ports.map(buildCapturedCluster), inboundPassthroughCluster]),
);

/** Few, and the same for proxies whose applications have the same addresses. */
const applicationClusters = interned(
  (ports: readonly PlacedInboundPort[]) =>
    ports.map(({ application, ...port }) => ({ application, ...clusterPart(port) })),
  (ports): ReadonlyMap<string, Cluster> => byName(ports.map(buildInboundCluster)),
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

/**
 * Returns the names of the clusters that lead to where a request's own host resolves; the same set for the same names.
 */
export const forwardClusters = memoized((upstreams: readonly Upstream[], lookedUp: UnknownHosts | undefined) =>
  oneSet([
    ...upstreams.filter(({ discovery }) => discovery.kind === "forward").map(({ id }) => upstreamName(id)),
    ...unknownHostsClusters(lookedUp).map(({ name = "" }) => name),
  ]),
);
const oneSet = interned(
  (names: readonly string[]) => [...names].sort(),
  (names): ReadonlySet<string> => new Set(names),
);
