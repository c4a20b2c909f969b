// Bootstraps of an Envoy that gets everything else over ADS.
import { http2Upstream, staticCluster, typeUrl } from "./envoy-config.ts";

/** A pod's proxy and its control plane. */
export interface AdsOptions {
  /** Where the server listens, on 127.0.0.1. */
  readonly xds: { readonly port: number };
  readonly rootPem: string;
  /** Undefined sends no authorization at all. */
  readonly token: string | undefined;
  readonly nodeId: string;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** Which protocol of xDS an Envoy speaks. */
export interface XdsVariant {
  readonly apiType: "GRPC" | "DELTA_GRPC";
  /** One stream for all types; else one each for clusters and listeners. */
  readonly isAggregated: boolean;
}

export interface PlaintextOptions {
  /** Where the server listens, on 127.0.0.1. */
  readonly port: number;
  readonly node: object;
  /** Default: delta, aggregated. */
  readonly variant?: XdsVariant;
  /** An aggregated stream also where clusters and listeners have their own: for resources that name it. */
  readonly hasAds?: boolean;
  /** Comes back soon after a stream has ended, and waits without end for what it has asked for. */
  readonly isPatient?: boolean;
}

/** Returns a bootstrap for xDS in plaintext; the server is its cluster `xds`. */
export function plaintextBootstrap({
  port,
  node,
  variant: { apiType, isAggregated } = { apiType: "DELTA_GRPC", isAggregated: true },
  hasAds = isAggregated,
  isPatient = false,
}: PlaintextOptions): object {
  const grpc = {
    api_type: apiType,
    transport_api_version: "V3",
    grpc_services: [{ envoy_grpc: { cluster_name: "xds", ...(isPatient && { retry_policy: soon }) } }],
  };
  const source = {
    ...(isAggregated ? { ads: {} } : { api_config_source: grpc }),
    resource_api_version: "V3",
    ...(isPatient && { initial_fetch_timeout: "0s" }),
  };
  return {
    node,
    dynamic_resources: { lds_config: source, cds_config: source, ...(hasAds && { ads_config: grpc }) },
    static_resources: { clusters: [staticCluster("xds", port, http2Upstream)] },
  };
}

const soon = { retry_back_off: { base_interval: "0.05s", max_interval: "0.2s" } };

/** Returns a bootstrap for delta ADS over TLS. */
export function adsBootstrap({ xds, rootPem, token, nodeId, metadata }: AdsOptions): object {
  const source = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  const transport_socket = { name: "envoy.transport_sockets.tls", typed_config: tlsContext(rootPem) };
  return {
    node: { id: nodeId, cluster: "test", metadata },
    dynamic_resources: {
      lds_config: source,
      cds_config: source,
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: { cluster_name: "xds-grpc", retry_policy: soon },
            initial_metadata: token === undefined ? [] : [{ key: "authorization", value: `Bearer ${token}` }],
          },
        ],
      },
    },
    static_resources: { clusters: [staticCluster("xds-grpc", xds.port, { ...http2Upstream, transport_socket })] },
  };
}

function tlsContext(rootPem: string): object {
  const serverName = "istiod.istio-system.svc";
  return {
    "@type": typeUrl("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    sni: serverName,
    common_tls_context: {
      tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
      validation_context: {
        trusted_ca: { inline_string: rootPem },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: serverName } }],
      },
    },
  };
}
