// Clusters that stand for no service: the way to unknown hosts, the way to nowhere, and the way back into the proxy
// itself.
import type { Cluster } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import { anySourceAddress, forwardDiscovery, originalDiscovery } from "./cluster.ts";
import { buildLimits } from "./cluster-limits.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import {
  BLACK_HOLE_CLUSTER,
  CONNECT_NAME,
  DYNAMIC_DNS_CLUSTER,
  PASSTHROUGH_CLUSTER,
  SNIFFED_CONNECT_NAME,
} from "./names.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** Returns the clusters that resolve each request's own host: one, or none. */
export function unknownHostsClusters(unknownHosts: UnknownHosts | undefined): readonly Cluster[] {
  const name = unknownHosts && forwardName(unknownHosts);
  return name === undefined
    ? []
    : [{ name, ...passthrough, ...forwardDiscovery(), upstreamBindConfig: anySourceAddress }];
}

/** Returns the name of the cluster to which requests for unknown hosts go; undefined where they are refused. */
export function forwardName(unknownHosts: UnknownHosts): string | undefined {
  if (unknownHosts === "refuse") return undefined;
  return unknownHosts === "forward" ? PASSTHROUGH_CLUSTER : DYNAMIC_DNS_CLUSTER;
}

const passthrough: Cluster = {
  connectTimeout: durationFromMs(CONNECT_TIMEOUT_MS),
  ...buildLimits({ connectTimeoutMs: CONNECT_TIMEOUT_MS }),
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packAny("HttpProtocolOptions", {
      useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
    }),
  },
  metadata: { filterMetadata: { scrim: { mesh: "external" } } },
};

/** The cluster that takes a captured connection to where it was going. */
export const originalCluster: Cluster = {
  name: PASSTHROUGH_CLUSTER,
  ...passthrough,
  ...originalDiscovery,
};

/** The cluster that has no address. */
export const blackHoleCluster: Cluster = {
  name: BLACK_HOLE_CLUSTER,
  type: "STATIC",
  connectTimeout: durationFromMs(CONNECT_TIMEOUT_MS),
};

/** The clusters that lead into the proxy's own listeners for what comes through tunnels, by the same names. */
export const connectClusters: readonly Cluster[] = [CONNECT_NAME, SNIFFED_CONNECT_NAME].map((name) => ({
  name,
  type: "STATIC",
  connectTimeout: durationFromMs(CONNECT_TIMEOUT_MS),
  ...buildLimits({ connectTimeoutMs: CONNECT_TIMEOUT_MS }),
  loadAssignment: {
    clusterName: name,
    endpoints: [{ lbEndpoints: [{ endpoint: { address: { envoyInternalAddress: { serverListenerName: name } } } }] }],
  },
  transportSocket: {
    name: "envoy.transport_sockets.internal_upstream",
    typedConfig: packAny("InternalUpstreamTransport", {
      transportSocket: { name: "envoy.transport_sockets.raw_buffer", typedConfig: packAny("RawBuffer", {}) },
    }),
  },
}));
