// Consumes: a module, its settings, an upstream.
// Produces: the bootstrap of an Envoy with nothing but that module between one listener and the upstream.
// Never does: I/O.

export interface RunFacts {
  readonly moduleFile: string;
  /** JSON text, or "". */
  readonly configuration: string;
  readonly rootId: string;
  readonly capabilities: readonly string[] | undefined;
  readonly allowOnHeadersStopIteration: boolean;
  /** The module serves connections, not requests. */
  readonly network: boolean;
  /** 0: any free one. */
  readonly port: number;
  readonly upstream: { readonly host: string; readonly port: number; readonly tls: boolean };
}

const type = (name: string) => `type.googleapis.com/${name}`;
const LISTENER = "trial";

/** Returns the bootstrap (proto3 JSON). */
export function buildRunBootstrap(facts: RunFacts): Record<string, unknown> {
  return {
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: { listeners: [listener(facts)], clusters: [cluster(facts.upstream)] },
  };
}

function listener(facts: RunFacts): Record<string, unknown> {
  return {
    name: LISTENER,
    enable_reuse_port: false,
    address: { socket_address: { address: "127.0.0.1", port_value: facts.port } },
    filter_chains: [{ filters: facts.network ? [wasm(facts), tcpProxy] : [connectionManager(facts)] }],
  };
}

const tcpProxy = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: {
    "@type": type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: LISTENER,
    cluster: "upstream",
  },
};

function connectionManager(facts: RunFacts): Record<string, unknown> {
  const rewrite = facts.upstream.tls ? { host_rewrite_literal: facts.upstream.host } : {};
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: LISTENER,
      route_config: {
        virtual_hosts: [
          {
            name: LISTENER,
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "upstream", ...rewrite } }],
          },
        ],
      },
      http_filters: [
        wasm(facts),
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") },
        },
      ],
    },
  };
}

function wasm(facts: RunFacts): Record<string, unknown> {
  const { moduleFile, configuration, rootId, capabilities, network } = facts;
  return {
    name: "plugin",
    typed_config: {
      "@type": type(`envoy.extensions.filters.${network ? "network" : "http"}.wasm.v3.Wasm`),
      config: {
        name: "plugin",
        root_id: rootId,
        allow_on_headers_stop_iteration: facts.allowOnHeadersStopIteration,
        vm_config: { vm_id: "plugin", runtime: "envoy.wasm.runtime.v8", code: { local: { filename: moduleFile } } },
        ...(configuration !== "" && {
          configuration: { "@type": type("google.protobuf.StringValue"), value: configuration },
        }),
        ...(capabilities !== undefined && {
          capability_restriction_config: {
            allowed_capabilities: Object.fromEntries(capabilities.map((name) => [name, {}])),
          },
        }),
      },
    },
  };
}

function cluster({ host, port, tls }: RunFacts["upstream"]): Record<string, unknown> {
  return {
    name: "upstream",
    type: "STRICT_DNS",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: "upstream",
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] },
      ],
    },
    ...(tls && {
      transport_socket: {
        name: "envoy.transport_sockets.tls",
        typed_config: { "@type": type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"), sni: host },
      },
    }),
  };
}

/**
 * Returns the address of the listener in the JSON of Envoy's `/listeners?format=json`; undefined while it is
 * not there.
 */
export function listenerAddress(json: string): string | undefined {
  try {
    const { listener_statuses: statuses = [] } = JSON.parse(json) as {
      listener_statuses?: {
        name?: string;
        local_address?: { socket_address?: { address?: string; port_value?: number } };
      }[];
    };
    const { address, port_value: port } =
      statuses.find(({ name }) => name === LISTENER)?.local_address?.socket_address ?? {};
    return address === undefined || port === undefined ? undefined : `http://${address}:${port}`;
  } catch {
    return undefined;
  }
}
