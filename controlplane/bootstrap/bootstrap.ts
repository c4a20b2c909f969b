// Consumes: the facts about one proxy: who it is, where it stands, where its control plane is.
// Produces: the bootstrap of its Envoy, as an object to be written as JSON.
// Never does: I/O, or anything that changes with the mesh's configuration (all of that comes by xDS).
import { MAX_REGEX_PROGRAM_SIZE, REGEX_PROGRAM_SIZE_KEY } from "../model/envoy-limits.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import { buildStatsConfig } from "./stats.ts";

/** What one proxy's bootstrap depends on. */
export interface NodeFacts {
  readonly kind: "sidecar" | "router";
  readonly podName: string;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly podIp: string;
  readonly trustDomain: string;
  readonly clusterId: string;
  /** Of what makes the bootstrap; the proxy tells it in its metrics. */
  readonly version: string;
  /** Where Envoy's admin page listens; always a loopback address. */
  readonly admin: SocketAddress;
  readonly controlPlane: ControlPlaneAddress;
  /** The secret that proves the identity to the control plane; absent only where a bootstrap is shown to people. */
  readonly token: string | undefined;
  /** The labels of Istio's metrics, which become stats tags. */
  readonly metricLabels: readonly string[];
  /** Labels beyond Istio's that this mesh wants declared; the proxy says in its metadata which it has. */
  readonly extraStatTags?: readonly string[];
}

/** Where xDS is served, and how the proxy knows that it is the right server. */
export interface ControlPlaneAddress extends SocketAddress {
  readonly rootCertificateFile: string;
  /** The DNS name in the server's certificate. */
  readonly serverName: string;
}

/** The DNS name of the control plane's certificate, as Istio's proxies expect it. */
export const CONTROL_PLANE_SERVER_NAME = "istiod.istio-system.svc";
const XDS_CLUSTER = "xds-grpc";
const TOKEN_SECRET = "xds-token";
const MAX_DOWNSTREAM_CONNECTIONS = 50_000;

/**
 * Returns the node id in Istio's form, as in `sidecar~127.10.4.7~reviews-v1-0-x2b9f.default~default.svc.cluster.local`.
 */
export function nodeId(facts: Pick<NodeFacts, "kind" | "podIp" | "podName" | "namespace">): string {
  return `${facts.kind}~${facts.podIp}~${facts.podName}.${facts.namespace}~${facts.namespace}.svc.cluster.local`;
}

/** Returns Envoy's bootstrap (envoy.config.bootstrap.v3.Bootstrap in proto3 JSON). */
export function buildBootstrap(facts: NodeFacts): Record<string, unknown> {
  return {
    node: buildNode(facts),
    admin: { address: socketAddress(facts.admin) },
    dynamic_resources: buildDynamicResources(),
    static_resources: {
      clusters: [buildXdsCluster(facts.controlPlane, facts.token !== undefined)],
      ...(facts.token !== undefined && {
        secrets: [{ name: TOKEN_SECRET, generic_secret: { secret: { inline_string: `Bearer ${facts.token}` } } }],
      }),
    },
    // A peer on this machine sees where a connection comes from: the pod, not 127.0.0.1.
    cluster_manager: { upstream_bind_config: { source_address: { address: facts.podIp, port_value: 0 } } },
    bootstrap_extensions: [
      {
        name: "envoy.bootstrap.internal_listener",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        },
      },
    ],
    stats_config: buildStatsConfig([...facts.metricLabels, ...(facts.extraStatTags ?? [])]),
    layered_runtime: buildRuntime(),
    overload_manager: buildOverload(),
  };
}

function buildNode(facts: NodeFacts): Record<string, unknown> {
  return {
    id: nodeId(facts),
    cluster: `${facts.labels["app"] ?? facts.workload}.${facts.namespace}`,
    metadata: {
      NAME: facts.podName,
      NAMESPACE: facts.namespace,
      SERVICE_ACCOUNT: facts.serviceAccount,
      WORKLOAD_NAME: facts.workload,
      OWNER: `kubernetes://apis/apps/v1/namespaces/${facts.namespace}/deployments/${facts.workload}`,
      LABELS: facts.labels,
      CLUSTER_ID: facts.clusterId,
      MESH_ID: facts.trustDomain,
      INSTANCE_IPS: facts.podIp,
      SCRIM_VERSION: facts.version,
      ...(facts.extraStatTags && { EXTRA_STAT_TAGS: facts.extraStatTags.join(",") }),
    },
  };
}

function buildDynamicResources(): Record<string, unknown> {
  // No fetch timeout: a proxy without configuration waits for it instead of serving nothing.
  const fromAds = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  return {
    lds_config: fromAds,
    cds_config: fromAds,
    ads_config: {
      api_type: "DELTA_GRPC",
      transport_api_version: "V3",
      set_node_on_first_message_only: true,
      grpc_services: [
        {
          envoy_grpc: {
            cluster_name: XDS_CLUSTER,
            // A control plane that comes back is found again within about a second.
            retry_policy: { retry_back_off: { base_interval: "0.2s", max_interval: "2s" } },
          },
        },
      ],
    },
  };
}

function buildXdsCluster(to: ControlPlaneAddress, hasToken: boolean): Record<string, unknown> {
  return {
    name: XDS_CLUSTER,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(to) } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "10s", timeout: "5s" } } },
        ...(hasToken && { http_filters: tokenFilters() }),
      },
    },
    circuit_breakers: {
      thresholds: [{ max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 }],
    },
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: to.serverName,
        common_tls_context: {
          alpn_protocols: ["h2"],
          tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
          validation_context: {
            trusted_ca: { filename: to.rootCertificateFile },
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: to.serverName } }],
          },
        },
      },
    },
  };
}

/**
 * The token goes from a secret into each stream's metadata: Envoy's admin page shows secrets to nobody, but
 * initial_metadata to everybody who asks.
 */
function tokenFilters(): readonly Record<string, unknown>[] {
  return [
    {
      name: "envoy.filters.http.credential_injector",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite: true,
        credential: {
          name: "envoy.http.injected_credentials.generic",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
            credential: { name: TOKEN_SECRET },
          },
        },
      },
    },
    {
      name: "envoy.filters.http.upstream_codec",
      typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec" },
    },
  ];
}

function buildRuntime(): Record<string, unknown> {
  return {
    layers: [
      {
        name: "static",
        static_layer: {
          [REGEX_PROGRAM_SIZE_KEY]: MAX_REGEX_PROGRAM_SIZE,
          // Against peers that open streams only to reset them (CVE-2023-44487 and its kin).
          "overload.premature_reset_total_stream_count": 500,
          "overload.premature_reset_min_stream_lifetime_seconds": 1,
          "http.max_requests_per_io_cycle": 1,
        },
      },
      { name: "admin", admin_layer: {} },
    ],
  };
}

function buildOverload(): Record<string, unknown> {
  return {
    resource_monitors: [
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.resource_monitors" +
            ".downstream_connections.v3.DownstreamConnectionsConfig",
          max_active_downstream_connections: MAX_DOWNSTREAM_CONNECTIONS,
        },
      },
    ],
  };
}

function socketAddress({ address, port }: SocketAddress): Record<string, unknown> {
  return { socket_address: { address, port_value: port } };
}
