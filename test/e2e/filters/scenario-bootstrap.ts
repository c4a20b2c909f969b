// Envoy's configuration for scenarios: one listener, with the module under test, for each; the listeners come from a
// file, so that one that is refused does not keep the others from starting.
import { clusterName, configurationText, type FilterMetadata, type Scenario } from "proxy-wasm-host";
import { address, typeUrl } from "../../support/envoy-config.ts";
import type { TestIdentities } from "../../support/test-identities.ts";

const FAILURE_POLICIES = { closed: "FAIL_CLOSED", open: "FAIL_OPEN", reload: "FAIL_RELOAD" } as const;

/** Where things are that the configuration names. */
export interface ScenarioPlaces {
  readonly accessLog: string;
  readonly listeners: string;
  readonly upstreamPort: number;
  /** Ports of clusters for callouts, by name. */
  readonly calloutPorts: ReadonlyMap<string, number>;
  readonly modulePath: (module: string) => string;
  /** Other filters in place of the module, for the same scenario on another engine. */
  readonly httpFilters?: ((scenario: Scenario) => readonly unknown[]) | undefined;
}

/** The name of the request header that carries dynamic metadata to the filter that sets it. */
export const metadataHeader = (index: number): string => `x-scenario-metadata-${index}`;

/** Namespace and name of each value of dynamic metadata that some exchange has, in the order of their headers. */
export function metadataKeys(scenario: Scenario): (readonly [string, string])[] {
  const keys = scenario.exchanges.flatMap(({ metadata = {} }) =>
    Object.entries(metadata).flatMap(([namespace, values]) =>
      Object.keys(values).map((name) => `${namespace}\0${name}`),
    ),
  );
  return [...new Set(keys)].map((key) => key.split("\0") as [string, string]);
}

/** Names of filter state that exchanges ask for. */
export function stateNames(scenario: Scenario): string[] {
  return [...new Set(scenario.exchanges.flatMap(({ expect }) => Object.keys(expect.filterState ?? {})))];
}

function wasm(scenario: Scenario, file: string): unknown {
  return {
    name: "module",
    typed_config: {
      "@type": typeUrl("envoy.extensions.filters.http.wasm.v3.Wasm"),
      config: {
        name: scenario.name,
        failure_policy: FAILURE_POLICIES[scenario.failurePolicy ?? "closed"],
        allow_on_headers_stop_iteration: scenario.allowOnHeadersStopIteration ?? false,
        configuration: { "@type": typeUrl("google.protobuf.StringValue"), value: configurationText(scenario) },
        vm_config: {
          runtime: "envoy.wasm.runtime.v8",
          vm_id: scenario.vmId ?? scenario.name,
          code: { local: { filename: file } },
          environment_variables: { key_values: scenario.environmentVariables ?? {} },
        },
      },
    },
  };
}

function metadataFilter(keys: readonly (readonly [string, string])[]): unknown[] {
  if (keys.length === 0) return [];
  const request_rules = keys.map(([metadata_namespace, key], i) => ({
    header: metadataHeader(i),
    on_header_present: { metadata_namespace, key, type: "PROTOBUF_VALUE", encode: "BASE64" },
    remove: true,
  }));
  return [
    {
      name: "metadata",
      typed_config: { "@type": typeUrl("envoy.extensions.filters.http.header_to_metadata.v3.Config"), request_rules },
    },
  ];
}

const metadata = (filter_metadata: FilterMetadata | undefined): object =>
  filter_metadata ? { metadata: { filter_metadata } } : {};

function connectionManager(scenario: Scenario, places: ScenarioPlaces, index: number): unknown {
  const states = Object.fromEntries(
    stateNames(scenario).map((name, i) => [`state${i}`, `%FILTER_STATE(wasm.${name}:PLAIN)%`]),
  );
  const filters = places.httpFilters?.(scenario) ?? [wasm(scenario, places.modulePath(scenario.module))];
  const router = { "@type": typeUrl("envoy.extensions.filters.http.router.v3.Router"), suppress_envoy_headers: true };
  const fileLog = {
    "@type": typeUrl("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
    path: places.accessLog,
    log_format: {
      json_format: { from: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", details: "%RESPONSE_CODE_DETAILS%", ...states },
    },
  };
  return {
    name: "hcm",
    typed_config: {
      "@type": typeUrl("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: `s${index}`,
      generate_request_id: false,
      server_header_transformation: "PASS_THROUGH",
      use_remote_address: scenario.useRemoteAddress ?? false,
      delayed_close_timeout: "0.1s",
      access_log: [{ name: "file", typed_config: fileLog }],
      http_filters: [...metadataFilter(metadataKeys(scenario)), ...filters, { name: "router", typed_config: router }],
      route_config: {
        virtual_hosts: [
          {
            name: scenario.virtualHost?.name ?? "all",
            domains: ["*"],
            ...metadata(scenario.virtualHost?.metadata),
            routes: [
              {
                name: scenario.route?.name ?? "",
                match: { prefix: "/" },
                ...metadata(scenario.route?.metadata),
                route: { cluster: clusterName(scenario), timeout: "5s" },
              },
            ],
          },
        ],
      },
    },
  };
}

function serverTls(identities: TestIdentities): unknown {
  const own = identities.of("scenario");
  return {
    name: "tls",
    typed_config: {
      "@type": typeUrl("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { inline_string: own.certificate }, private_key: { inline_string: own.key } },
        ],
        validation_context: { trusted_ca: { inline_string: identities.rootPem } },
      },
    },
  };
}

function addressStates(names: readonly string[]): unknown[] {
  if (names.length === 0) return [];
  const format_string = { text_format_source: { inline_string: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } };
  return [
    {
      name: "states",
      typed_config: {
        "@type": typeUrl("envoy.extensions.filters.network.set_filter_state.v3.Config"),
        on_new_connection: names.map((object_key) => ({ object_key, factory_key: "envoy.string", format_string })),
      },
    },
  ];
}

/** The listener of the `index`th scenario; its port is Envoy's choice. */
export function scenarioListener(
  scenario: Scenario,
  index: number,
  places: ScenarioPlaces,
  identities: TestIdentities,
): unknown {
  const filters = [...addressStates(scenario.peerAddressStates ?? []), connectionManager(scenario, places, index)];
  const usesTls = scenario.exchanges.some(({ peer }) => peer?.identity !== undefined || peer?.sni !== undefined);
  const proxyProtocol = {
    name: "proxy",
    typed_config: { "@type": typeUrl("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol") },
  };
  const inspector = {
    name: "tls",
    typed_config: { "@type": typeUrl("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
  };
  return {
    "@type": typeUrl("envoy.config.listener.v3.Listener"),
    name: `scenario ${index}`,
    address: address(0),
    enable_reuse_port: false,
    listener_filters: usesTls ? [proxyProtocol, inspector] : [proxyProtocol],
    filter_chains: usesTls
      ? [
          { filter_chain_match: { transport_protocol: "tls" }, transport_socket: serverTls(identities), filters },
          { filter_chain_match: { transport_protocol: "raw_buffer" }, filters },
        ]
      : [{ filters }],
  };
}

function cluster(name: string, port: number, more: object, endpointMetadata?: FilterMetadata): unknown {
  const endpoint = { endpoint: { address: address(port) }, ...metadata(endpointMetadata) };
  return {
    name,
    connect_timeout: "1s",
    type: "STATIC",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
    ...more,
  };
}

/** The clusters of all scenarios. Throws if two scenarios mean different things by one name. */
function clusters(scenarios: readonly Scenario[], places: ScenarioPlaces): unknown[] {
  const byName = new Map<string, unknown>();
  const put = (name: string, made: unknown): void => {
    const known = byName.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(made))
      throw new Error(
        `two scenarios with the cluster ${name}, but with different metadata: give one of them another name`,
      );
    byName.set(name, made);
  };
  const http2 = {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": typeUrl("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  for (const [name, port] of places.calloutPorts) put(name, cluster(name, port, http2));
  for (const scenario of scenarios)
    put(
      clusterName(scenario),
      cluster(
        clusterName(scenario),
        places.upstreamPort,
        metadata(scenario.cluster?.metadata),
        scenario.cluster?.endpointMetadata,
      ),
    );
  return [...byName.values()];
}

/** The bootstrap: clusters, and where the listeners' file lies. */
export function scenarioBootstrap(scenarios: readonly Scenario[], places: ScenarioPlaces): object {
  return {
    node: { id: "scenario-node", cluster: "scenario-cluster", metadata: scenarios[0]?.nodeMetadata ?? {} },
    stats_flush_interval: "0.2s",
    // As the mesh's own bootstrap.
    layered_runtime: { layers: [{ name: "static", static_layer: { "re2.max_program_size.error_level": 32_768 } }] },
    dynamic_resources: { lds_config: { path_config_source: { path: places.listeners } } },
    static_resources: { clusters: clusters(scenarios, places) },
  };
}
