// The configuration of one Envoy for the four filters: an inbound listener (mutual TLS and plaintext), an outbound one
// with header routes, a limited one.
import { join } from "node:path";
import { LABELS } from "../../../filters/telemetry/labels.ts";
import {
  address,
  connectionManager,
  fileAccessLog,
  router,
  staticCluster,
  typeUrl,
  wasmConfig,
} from "../../support/envoy-config.ts";
import type { TestIdentities, TestKeyPair } from "../../support/test-identities.ts";

const FILTERS = new URL("../../../filters/build/", import.meta.url).pathname;

/** Each function in a module of its own, or those that stand together in mesh.wasm. */
export type FilterModules = "separate" | "fused";

/** What a test says about the filters. */
export interface FilterSettings {
  readonly modules: FilterModules;
  readonly policies: unknown;
  readonly limits: unknown;
  /** Rules of the virtual host `reviews`, and the keys that lead to subset v2. */
  readonly rules: unknown;
  readonly v2Keys: readonly string[];
  readonly backendPort: number;
}

/** What the configuration names beside the settings. */
export interface FilterPlaces {
  readonly accessLog: string;
  /** The inbound listener's port, where the outbound one sends to. */
  readonly meshPort: number;
  readonly identities: TestIdentities;
}

const anything = { prefix: "/" };

const wasm = (name: string, configuration: unknown, vmId = ""): object => ({
  name,
  typed_config: wasmConfig("http", {
    name,
    file: join(FILTERS, `${name.split(".")[0]}.wasm`),
    configuration: JSON.stringify(configuration),
    vmId,
  }),
});

/** Between router and telemetry, as in a sidecar: it makes Envoy resolve the route that the router chose. */
const fault = {
  name: "envoy.filters.http.fault",
  typed_config: { "@type": typeUrl("envoy.extensions.filters.http.fault.v3.HTTPFault") },
};

function chain(accessLog: string, name: string, filters: readonly object[], virtualHosts: readonly object[]): object {
  return connectionManager(name, {
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD",
    access_log: [fileAccessLog(accessLog, `${name} %REQ(x-case)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n`)],
    http_filters: [...filters, router],
    route_config: { name, virtual_hosts: virtualHosts },
  });
}

const peerAddress = {
  name: "peer-address",
  typed_config: {
    "@type": typeUrl("envoy.extensions.filters.network.set_filter_state.v3.Config"),
    on_new_connection: [
      {
        object_key: "scrim.peer_address",
        factory_key: "envoy.string",
        format_string: { text_format_source: { inline_string: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" } },
      },
    ],
  },
};

/** Returns the bootstrap of `productpage-v1`, whose inbound side is reviews' at the same time. */
export function filtersBootstrap(settings: FilterSettings, places: FilterPlaces): object {
  return {
    node: {
      id: "sidecar~127.0.0.1~p.default~default.svc.cluster.local",
      cluster: "test",
      metadata: {
        NAME: "p",
        NAMESPACE: "default",
        WORKLOAD_NAME: "productpage-v1",
        CLUSTER_ID: "Kubernetes",
        LABELS: { app: "productpage", version: "v1", "service.istio.io/canonical-name": "productpage" },
      },
    },
    stats_config: { stats_tags: LABELS.map((label) => ({ tag_name: label, regex: `(;${label}=([^;]*))` })) },
    static_resources: {
      listeners: [
        meshListener(settings, places),
        listener("outbound", [outboundChain(settings, places)]),
        listener("limited", [peerAddress, limitedChain(settings, places)]),
      ],
      clusters: clusters(settings, places),
    },
  };
}

function listener(name: string, filters: readonly object[]): object {
  return { name, address: address(0), filter_chains: [{ filters }] };
}

function meshListener(
  { modules, policies }: FilterSettings,
  { accessLog, meshPort, identities }: FilterPlaces,
): object {
  const reporter = "destination";
  const filters =
    modules === "separate"
      ? [wasm("telemetry.inbound", { reporter }), wasm("authz", { policies })]
      : [wasm("mesh.inbound", { authz: { policies }, telemetry: { reporter } })];
  const routes = [{ match: anything, route: { cluster: "inbound|9080||" } }];
  const inbound = chain(accessLog, "inbound", filters, [{ name: "inbound", domains: ["*"], routes }]);
  return {
    name: "mesh",
    address: address(meshPort),
    listener_filters: [
      {
        name: "tls_inspector",
        typed_config: { "@type": typeUrl("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
      },
    ],
    filter_chains: [
      {
        filter_chain_match: { transport_protocol: "tls" },
        transport_socket: tls("Downstream", identities, "reviews"),
        filters: [peerAddress, inbound],
      },
      { filter_chain_match: { transport_protocol: "raw_buffer" }, filters: [peerAddress, inbound] },
    ],
  };
}

function outboundChain({ modules, rules, v2Keys }: FilterSettings, { accessLog }: FilterPlaces): object {
  const filters =
    modules === "separate"
      ? [wasm("router", {}), fault, wasm("telemetry.outbound", { reporter: "source" })]
      : [wasm("mesh.outbound", { router: {}, telemetry: { reporter: "source" } })];
  const choice = (key: string, version: string): object => ({
    match: { filter_state: [{ key: "wasm.scrim.route", string_match: { exact: key } }], prefix: "/" },
    route: { cluster: subsetName(version) },
  });
  return chain(accessLog, "outbound", filters, [
    {
      name: "reviews:80",
      domains: ["reviews"],
      metadata: { filter_metadata: { "scrim.router": { id: "content-1", rules: JSON.stringify(rules) } } },
      routes: [...v2Keys.map((key) => choice(key, "v2")), choice("default", "v1")],
    },
    { name: "outside", domains: ["*"], routes: [{ match: anything, route: { cluster: "outside" } }] },
  ]);
}

function limitedChain({ modules, limits }: FilterSettings, { accessLog }: FilterPlaces): object {
  const vmId = "scrim.ratelimit";
  const filter =
    modules === "separate" ? wasm("ratelimit", limits, vmId) : wasm("mesh.limited", { ratelimit: limits }, vmId);
  const routes = [{ match: anything, direct_response: { status: 200, body: { inline_string: "ok" } } }];
  return chain(accessLog, "limited", [filter], [{ name: "limited", domains: ["*"], routes }]);
}

const subsetName = (version: string): string => `outbound|80|${version}|reviews.default.svc.cluster.local`;

function clusters({ backendPort }: FilterSettings, { meshPort, identities }: FilterPlaces): readonly object[] {
  const reviews = { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } };
  const outside = { scrim: { service: "outside.test;outside.test;default", mesh: "external" } };
  const described = (metadata: object): object => ({ metadata: { filter_metadata: metadata } });
  const subset = (version: string): object =>
    staticCluster(
      subsetName(version),
      meshPort,
      { ...described(reviews), transport_socket: tls("Upstream", identities, "productpage") },
      described({ istio: { workload: `reviews-${version};default;reviews;${version};Kubernetes` } }),
    );
  return [
    staticCluster("inbound|9080||", backendPort, described(reviews)),
    subset("v1"),
    subset("v2"),
    staticCluster("outside", backendPort, described(outside)),
  ];
}

function tls(side: "Downstream" | "Upstream", identities: TestIdentities, name: string): object {
  const own: TestKeyPair = identities.of(name);
  const certificate = {
    certificate_chain: { inline_string: own.certificate },
    private_key: { inline_string: own.key },
  };
  return {
    name: "tls",
    typed_config: {
      "@type": typeUrl(`envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`),
      ...(side === "Downstream" && { require_client_certificate: true }),
      common_tls_context: {
        tls_certificates: [certificate],
        validation_context: { trusted_ca: { inline_string: identities.rootPem } },
      },
    },
  };
}
