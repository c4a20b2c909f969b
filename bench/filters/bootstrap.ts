// One Envoy, a listener for each case.
import type { Case, WasmPart } from "./cases.ts";
import { routerRules } from "./examples.ts";

const type = (name: string): string => `type.googleapis.com/${name}`;

/**
 * Returns the bootstrap, without an admin address. Listener `case-<i>` serves the case at that index; all ports are
 * free ones.
 */
export function casesBootstrap(cases: readonly Case[]): object {
  return {
    node: {
      id: "bench",
      cluster: "bench",
      metadata: {
        NAME: "bench-0",
        NAMESPACE: "default",
        WORKLOAD_NAME: "bench",
        CLUSTER_ID: "Kubernetes",
        LABELS: { app: "bench", version: "v1" },
      },
    },
    static_resources: { listeners: cases.map(listener) },
  };
}

function listener(one: Case, index: number): object {
  const filters = [...one.wasm.map((part, at) => wasmFilter(part, `${index}-${at}`)), ...one.native];
  return {
    name: `case-${index}`,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    enable_reuse_port: false,
    filter_chains: [{ filters: [peerAddress, connectionManager(filters, one)] }],
  };
}

/** As every listener of the mesh has it: authz reads the peer's own address from here. */
const peerAddress = {
  name: "peer-address",
  typed_config: {
    "@type": type("envoy.extensions.filters.network.set_filter_state.v3.Config"),
    on_new_connection: [
      {
        object_key: "scrim.peer_address",
        factory_key: "envoy.string",
        format_string: { text_format_source: { inline_string: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" } },
      },
    ],
  },
};

function connectionManager(filters: readonly object[], { hasRules = false, loggers = [] }: Case): object {
  const answer = { direct_response: { status: 200, body: { inline_string: "ok" } } };
  const { rules, keys } = routerRules();
  const chosen = keys.map((key) => ({
    match: { filter_state: [{ key: "wasm.scrim.route", string_match: { exact: key } }], prefix: "/" },
    ...answer,
  }));
  return {
    name: "hcm",
    typed_config: {
      "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: "bench",
      generate_request_id: false,
      access_log: loggers,
      http_filters: [
        ...filters,
        { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: "reviews",
            domains: ["*"],
            ...(hasRules && { metadata: { filter_metadata: { "scrim.router": { id: "bench", rules } } } }),
            routes: [...(hasRules ? chosen : []), { match: { prefix: "/" }, ...answer }],
          },
        ],
      },
    },
  };
}

/** A VM of its own for each place, so that no case profits from another's. */
function wasmFilter({ path, configuration }: WasmPart, id: string): object {
  return {
    name: `wasm-${id}`,
    typed_config: {
      "@type": type("envoy.extensions.filters.http.wasm.v3.Wasm"),
      config: {
        name: `wasm-${id}`,
        configuration: { "@type": type("google.protobuf.StringValue"), value: configuration },
        vm_config: { runtime: "envoy.wasm.runtime.v8", vm_id: `vm-${id}`, code: { local: { filename: path } } },
      },
    },
  };
}
