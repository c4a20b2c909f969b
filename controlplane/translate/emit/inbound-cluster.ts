// The application behind one port of a sidecar, as Envoy's cluster.
import type { Cluster, HttpProtocolOptions, Metadata } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { PlacedInboundPort } from "../ir/places.ts";
import type { InboundPort, InboundTarget } from "../ir/proxy.ts";
import type { ConnectionLimits } from "../ir/upstream.ts";
import { buildLimits } from "./cluster-limits.ts";
import { buildCommonOptions, buildVersionOptions } from "./cluster-protocol.ts";
import { INBOUND_PASSTHROUGH_CLUSTER } from "./names.ts";

/** Returns the cluster's name, `inbound|9080||`, also that of the port's route configuration. */
export function inboundClusterName(port: Pick<InboundPort, "port">): string {
  return `inbound|${port.port}||`;
}

/**
 * Returns the cluster that leads to the application, in the HTTP version of the port, whatever the client speaks; in
 * the client's where the port says nothing.
 */
export function buildInboundCluster(port: PlacedInboundPort): Cluster {
  const { address, port: portValue } = port.application;
  return {
    ...toApplication(port),
    type: "STATIC",
    loadAssignment: {
      clusterName: inboundClusterName(port),
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue } } } }] }],
    },
    // The pod's own address, from which all other connections come, is not one the application's loopback expects.
    ...(isLoopback(address) && {
      upstreamBindConfig: { sourceAddress: { address: address.includes(":") ? "::1" : "127.0.0.1", portValue: 0 } },
    }),
  };
}

/** Returns the same for a captured pod: to the address that the client connected to. */
export function buildCapturedCluster(port: InboundPort): Cluster {
  const { target } = port;
  if (target !== undefined && target.kind !== "samePod") return { ...toApplication(port), ...toTarget(port, target) };
  return {
    ...toApplication(port),
    ...toOriginalDestination,
    ...(target && { originalDstLbConfig: { upstreamPortOverride: target.port } }),
    // The addresses are the pod's own, which are few: none is ever forgotten, and with it its connections.
    cleanupInterval: { seconds: 315_360_000 },
  };
}

function toTarget(port: InboundPort, target: Exclude<InboundTarget, { kind: "samePod" }>): Cluster {
  const address =
    target.kind === "socket"
      ? { pipe: { path: target.path } }
      : { socketAddress: { address: target.address, portValue: target.port } };
  return {
    type: "STATIC",
    loadAssignment: {
      clusterName: inboundClusterName(port),
      endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }],
    },
  };
}

function toApplication(port: InboundPort): Cluster {
  return {
    name: inboundClusterName(port),
    ...(port.limits === undefined ? atApplication : limitedTo(port.limits)),
    ...(port.protocol !== "tcp" && {
      typedExtensionProtocolOptions: {
        [HTTP_OPTIONS]: httpOptionsOf(port.followsClient ? "auto" : port.protocol, port.limits),
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

function httpOptionsOf(protocol: keyof typeof httpOptions, limits: ConnectionLimits | undefined) {
  if (limits === undefined) return httpOptions[protocol];
  return packAny("HttpProtocolOptions", {
    ...buildVersionOptions({ protocol, limits }),
    commonHttpProtocolOptions: { ...idle.commonHttpProtocolOptions, ...buildCommonOptions({ limits }) },
  });
}

function limitedTo(limits: ConnectionLimits): Cluster {
  return { connectTimeout: durationFromMs(limits.connectTimeoutMs), ...buildLimits(limits) };
}

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const atApplication: Cluster = {
  connectTimeout: durationFromMs(10_000),
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
};

/** From addresses by which the rules of capture know what they must not lead back to the proxy (Istio's). */
const toOriginalDestination: Cluster = {
  type: "ORIGINAL_DST",
  lbPolicy: "CLUSTER_PROVIDED",
  upstreamBindConfig: {
    sourceAddress: { address: "127.0.0.6", portValue: 0 },
    extraSourceAddresses: [{ address: { address: "::6", portValue: 0 } }],
  },
};

/** The cluster of ports that no Service declares. */
export const inboundPassthroughCluster: Cluster = {
  name: INBOUND_PASSTHROUGH_CLUSTER,
  ...atApplication,
  ...toOriginalDestination,
  typedExtensionProtocolOptions: {
    [HTTP_OPTIONS]: httpOptions.auto,
  },
  // As in Istio, what came to no service is counted under the cluster's name.
  metadata: {
    filterMetadata: { scrim: { service: `unknown;${INBOUND_PASSTHROUGH_CLUSTER};unknown`, mesh: "internal" } },
  },
};

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function serviceMetadata({ service }: Pick<InboundPort, "service">): Metadata["filterMetadata"] {
  if (service === undefined) return { scrim: { mesh: "internal" } };
  const { host, name, namespace } = service;
  return {
    istio: { services: [{ host, name, namespace }] },
    scrim: { service: `${host};${name};${namespace}`, mesh: "internal" },
  };
}
