// The application behind one port of a sidecar, as Envoy's cluster.
import type { Cluster, HttpProtocolOptions, Metadata } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { PlacedInboundPort } from "../ir/places.ts";

/** Returns the cluster's name, `inbound|9080||`, also that of the port's route configuration. */
export function inboundClusterName(port: Pick<PlacedInboundPort, "port">): string {
  return `inbound|${port.port}||`;
}

/**
 * Returns the cluster that leads to the application, in the HTTP version of the port, whatever the client speaks; in
 * the client's where the port says nothing.
 */
export function buildInboundCluster(port: PlacedInboundPort): Cluster {
  const name = inboundClusterName(port);
  const { address, port: portValue } = port.application;
  return {
    name,
    type: "STATIC",
    connectTimeout: durationFromMs(10_000),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue } } } }] }],
    },
    // Whoever limits a workload does it by policy, not by Envoy's small defaults.
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: UNLIMITED,
          maxPendingRequests: UNLIMITED,
          maxRequests: UNLIMITED,
          maxRetries: UNLIMITED,
          trackRemaining: true,
        },
      ],
    },
    // The pod's own address, from which all other connections come, is not one the application's loopback expects.
    ...(isLoopback(address) && {
      upstreamBindConfig: { sourceAddress: { address: address.includes(":") ? "::1" : "127.0.0.1", portValue: 0 } },
    }),
    ...(port.protocol !== "tcp" && {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": httpOptions[port.protocol],
      },
    }),
    metadata: { filterMetadata: serviceMetadata(port) },
  };
}

const UNLIMITED = 4_294_967_295;

/**
 * Idle connections end before the five seconds after which Node and others close theirs: the one who closes first never
 * loses a request.
 */
const idle: HttpProtocolOptions = { commonHttpProtocolOptions: { idleTimeout: durationFromMs(4_000) } };

const httpOptions = {
  http1: packAny("HttpProtocolOptions", { ...idle, explicitHttpConfig: { httpProtocolOptions: {} } }),
  http2: packAny("HttpProtocolOptions", { ...idle, explicitHttpConfig: { http2ProtocolOptions: {} } }),
  auto: packAny("HttpProtocolOptions", {
    ...idle,
    useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
  }),
} as const;

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function serviceMetadata({ service }: PlacedInboundPort): Metadata["filterMetadata"] {
  if (service === undefined) return { scrim: { mesh: "internal" } };
  const { host, name, namespace } = service;
  return {
    istio: { services: [{ host, name, namespace }] },
    scrim: { service: `${host};${name};${namespace}`, mesh: "internal" },
  };
}
