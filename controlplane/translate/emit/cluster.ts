// One upstream as Envoy's cluster.
import type { Cluster, Metadata } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { Upstream } from "../ir/upstream.ts";
import { buildLimits, buildOutlierDetection } from "./cluster-limits.ts";
import { buildHttpProtocolOptions } from "./cluster-protocol.ts";
import { buildClusterTls } from "./cluster-tls.ts";
import { adsSource } from "./config-source.ts";
import { interned } from "../../world/interned.ts";
import { buildDnsCache } from "./dynamic-forward.ts";
import { buildLoadAssignment } from "./endpoint.ts";
import { buildLoadBalancing, buildSpread } from "./load-balancing.ts";
import { configPath, upstreamName } from "./names.ts";

/**
 * Returns the cluster of an upstream within a trust domain; the same object for equal upstreams, wherever their
 * endpoints are.
 */
export const buildCluster = interned(withoutPushedEndpoints, makeCluster);

/** What is pushed apart from the cluster is no part of it. */
function withoutPushedEndpoints(upstream: Upstream): unknown {
  return upstream.discovery.kind === "endpoints" ? { ...upstream, discovery: "endpoints" } : upstream;
}

/**
 * A connection to the world outside must not leave from a loopback pod address, whatever the bootstrap says: no route
 * leads out from there. One to a socket leaves from no address at all.
 */
export const anySourceAddress: Cluster["upstreamBindConfig"] = {};

function makeCluster(upstream: Upstream, trustDomains: string): Cluster {
  const name = upstreamName(upstream.id);
  const httpOptions = buildHttpProtocolOptions(upstream);
  const outlierDetection = upstream.outlier && buildOutlierDetection(upstream.outlier);
  return {
    name,
    ...discovery(upstream),
    connectTimeout: durationFromMs(upstream.limits.connectTimeoutMs),
    ...buildLoadBalancing(upstream),
    ...buildLimits(upstream.limits),
    ...(outlierDetection && { outlierDetection }),
    commonLbConfig: {
      healthyPanicThreshold: { value: upstream.outlier?.minHealthPercent ?? 0 },
      ...buildSpread(upstream),
    },
    ...(httpOptions && {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packAny("HttpProtocolOptions", httpOptions),
      },
    }),
    ...buildClusterTls(upstream, trustDomains),
    ...(upstream.anySource && { upstreamBindConfig: anySourceAddress }),
    metadata: { filterMetadata: metadataOf(upstream) },
  };
}

/**
 * Endpoints that the control plane knows travel apart from the cluster, so that their coming and going never touches
 * it.
 */
function discovery(upstream: Upstream): Cluster {
  switch (upstream.discovery.kind) {
    case "endpoints":
      // Their name is the cluster's.
      return { type: "EDS", edsClusterConfig: { edsConfig: adsSource() } };
    case "dns":
      return {
        type: upstream.discovery.roundRobin ? "LOGICAL_DNS" : "STRICT_DNS",
        dnsLookupFamily: "V4_PREFERRED",
        dnsRefreshRate: { seconds: 60 },
        respectDnsTtl: true,
        loadAssignment: buildLoadAssignment(upstream),
      };
    case "forward":
      return forwardDiscovery();
    case "original":
      return originalDiscovery;
    case "none":
      return { type: "STATIC" };
  }
}

/** The fields of a cluster whose addresses are where the clients' connections were going. */
export const originalDiscovery: Cluster = { type: "ORIGINAL_DST", lbPolicy: "CLUSTER_PROVIDED" };

/** Returns the fields of a cluster whose addresses are those of each request's own host. */
export function forwardDiscovery(): Cluster {
  return {
    lbPolicy: "CLUSTER_PROVIDED",
    clusterType: {
      name: "envoy.clusters.dynamic_forward_proxy",
      // Without TLS there is no name to check: Envoy wants to hear that this is meant.
      typedConfig: packAny("DynamicForwardProxyClusterConfig", {
        dnsCacheConfig: buildDnsCache(),
        allowInsecureClusterOptions: true,
      }),
    },
  };
}

function metadataOf({ id, service, internal, origin }: Upstream): Metadata["filterMetadata"] {
  const mesh = internal ? "internal" : "external";
  if (service === undefined) return { scrim: { mesh } };
  const { host, name, namespace } = service;
  return {
    istio: {
      services: [{ host, name, namespace }],
      ...(id.subset !== "" && { subset: id.subset }),
      ...(origin !== undefined && { config: configPath("destination-rule", origin) }),
    },
    scrim: { service: `${host};${name};${namespace}`, mesh },
  };
}
