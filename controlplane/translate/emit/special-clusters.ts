// Clusters that stand for no service: the way to unknown hosts, the way to nowhere, and the way back into the proxy
// itself.
import type { Cluster } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import { anySourceAddress, forwardDiscovery, originalDiscovery } from "./cluster.ts";
import { buildLimits } from "./cluster-limits.ts";
import { BLACK_HOLE_CLUSTER, CONNECT_NAME, PASSTHROUGH_CLUSTER, SNIFFED_CONNECT_NAME } from "./names.ts";

const CONNECT_TIMEOUT_MS = 10_000;

const passthrough: Cluster = {
  name: PASSTHROUGH_CLUSTER,
  connectTimeout: durationFromMs(CONNECT_TIMEOUT_MS),
  ...buildLimits({ connectTimeoutMs: CONNECT_TIMEOUT_MS }),
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packAny("HttpProtocolOptions", {
      useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
    }),
  },
  metadata: { filterMetadata: { scrim: { mesh: "external" } } },
};

/** The cluster that resolves each request's own host. */
export const forwardingCluster: Cluster = {
  ...passthrough,
  ...forwardDiscovery(),
  upstreamBindConfig: anySourceAddress,
};

/** The cluster that takes a captured connection to where it was going. */
export const originalCluster: Cluster = { ...passthrough, ...originalDiscovery };

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
