// The way to the control plane: the cluster of its address, the proof of who asks, and what is asked for.
import { isIP } from "node:net";
import type { SocketAddress } from "../model/socket-address.ts";
import { buildAddress, type PipeAddress } from "./addresses.ts";

const XDS_CLUSTER = "xds-grpc";

/** Where xDS is served, and how the proxy knows that it is the right server. */
export interface ControlPlane {
  readonly at: SocketAddress | PipeAddress;
  readonly rootCertificateFile: string;
  /** The DNS name in the server's certificate. */
  readonly serverName: string;
}

/** The secret that proves the proxy's identity, as Envoy names it (SdsSecretConfig), and what is said before it. */
export interface Token {
  readonly credential: Record<string, unknown>;
  readonly prefix?: string;
}

/** Returns Envoy's dynamic_resources: everything from the control plane, over one stream. */
export function buildDynamicResources(): Record<string, unknown> {
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

/** Returns the control plane's cluster. */
export function buildXdsCluster(to: ControlPlane, token?: Token): Record<string, unknown> {
  return {
    name: XDS_CLUSTER,
    ...discovery(to.at),
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: buildAddress(to.at) } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "10s", timeout: "5s" } } },
        ...(token && { http_filters: tokenFilters(token) }),
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

function discovery(at: ControlPlane["at"]): Record<string, unknown> {
  if ("pipe" in at || isIP(at.address) !== 0) return { type: "STATIC" };
  return { type: "STRICT_DNS", dns_lookup_family: "V4_PREFERRED", respect_dns_ttl: true };
}

/**
 * The token goes from a secret into each stream's metadata: Envoy's admin page shows secrets to nobody, but
 * initial_metadata to everybody who asks.
 */
function tokenFilters({ credential, prefix }: Token): readonly Record<string, unknown>[] {
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
            credential,
            ...(prefix && { header: "authorization", header_value_prefix: prefix }),
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
