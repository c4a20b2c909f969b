// Two Envoys written by hand, with nothing that the path of one request can do without: what ours are held against.
import type { SidecarFiles } from "../../test/support/captured-sidecar.ts";

const TRUST_DOMAIN = "spiffe://cluster.local/";
const type = (name: string): string => `type.googleapis.com/${name}`;

/** Returns the client's: plaintext of its application comes in, mutual TLS to one address goes out. */
export function bareClient(files: SidecarFiles, server: { readonly address: string; readonly port: number }): object {
  const tls = {
    "@type": type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    common_tls_context: certificates(files, { exact: `${TRUST_DOMAIN}ns/default/sa/reviews` }),
  };
  return bootstrap(files, listener(15_001), { ...cluster(server), transport_socket: tlsSocket(tls) });
}

/** Returns the server's: mutual TLS comes in, plaintext goes to the application on the loopback. */
export function bareServer(files: SidecarFiles, port: number): object {
  const tls = {
    "@type": type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
    common_tls_context: certificates(files, { prefix: TRUST_DOMAIN }),
    require_client_certificate: true,
  };
  return bootstrap(files, listener(15_006, tlsSocket(tls)), cluster({ address: "127.0.0.1", port }));
}

function bootstrap({ adminSocket }: SidecarFiles, one: object, other: object): object {
  return {
    admin: { address: { pipe: { path: adminSocket } } },
    static_resources: { listeners: [one], clusters: [other] },
  };
}

function listener(port: number, transportSocket?: object): object {
  const manager = {
    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "bare",
    http_filters: [
      { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
    ],
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "next" } }] },
      ],
    },
  };
  return {
    name: "captured",
    address: { socket_address: { address: "0.0.0.0", port_value: port } },
    filter_chains: [
      {
        ...(transportSocket && { transport_socket: transportSocket }),
        filters: [{ name: "http", typed_config: manager }],
      },
    ],
  };
}

function cluster({ address, port }: { readonly address: string; readonly port: number }): object {
  const endpoint = { address: { socket_address: { address, port_value: port } } };
  return {
    name: "next",
    type: "STATIC",
    load_assignment: { cluster_name: "next", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

function tlsSocket(context: object): object {
  return { name: "tls", typed_config: context };
}

function certificates({ certificate, key, rootCertificate }: SidecarFiles, name: object): object {
  return {
    tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
    validation_context: {
      trusted_ca: { filename: rootCertificate },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: name }],
    },
  };
}
