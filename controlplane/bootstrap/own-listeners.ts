// What a sidecar says of itself: whether it is ready, its statistics, and its pages for who is in the pod. All lead to
// Envoy's admin socket; what may be asked there stands here, so that no neighbour can change anything.
import { ENVOY_PAGES_PORT, READINESS_PORT, STATISTICS_PORT } from "../model/capture-ports.ts";
import { buildAddress, type PipeAddress } from "./addresses.ts";
import { type AppHealth, buildProbeFilters, buildProbeRoutes } from "./app-health.ts";

/** Which addresses the pod has. */
export interface OwnAddresses {
  readonly ipFamilies: "IPv4" | "IPv6" | "dual";
}

const OWN_PAGES = "own-pages";
const HTTP_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** Pages that only show, and show no secret. */
const pages = [
  ...["/", "/certs", "/clusters", "/config_dump", "/help", "/init_dump", "/listeners", "/memory"],
  ...["/ready", "/runtime", "/server_info", "/stats", "/stats/prometheus"],
];

/** A path that is answered, and Envoy's page that answers it. */
interface Page {
  readonly path: string;
  readonly page: string;
}

/** Returns the cluster of the admin socket. */
export function buildOwnPagesCluster(admin: PipeAddress): Record<string, unknown> {
  return {
    name: OWN_PAGES,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: OWN_PAGES,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: admin.pipe } } } }] }],
    },
  };
}

/**
 * Returns the listeners: readiness (15021, `/healthz/ready`, and probes of the application) and statistics (15090,
 * `/stats/prometheus`) for everybody, as Istio's; Envoy's pages (15000) on loopback.
 */
export function buildOwnListeners(
  { ipFamilies }: OwnAddresses,
  appHealth?: AppHealth,
): readonly Record<string, unknown>[] {
  const everywhere = { IPv4: ["0.0.0.0"], IPv6: ["::"], dual: ["0.0.0.0", "::"] }[ipFamilies];
  const loopback = { IPv4: ["127.0.0.1"], IPv6: ["::1"], dual: ["127.0.0.1", "::1"] }[ipFamilies];
  return [
    listener("readiness", everywhere, READINESS_PORT, {
      filters: appHealth ? buildProbeFilters(appHealth) : [],
      routes: [route({ path: "/healthz/ready", page: "/ready" }), ...(appHealth ? buildProbeRoutes(appHealth) : [])],
    }),
    listener("statistics", everywhere, STATISTICS_PORT, {
      routes: [route({ path: "/stats/prometheus", page: "/stats/prometheus" })],
    }),
    listener("pages", loopback, ENVOY_PAGES_PORT, { routes: pages.map((page) => route({ path: page, page })) }),
  ];
}

/** What a listener answers; `filters` before the routes. */
interface Answers {
  readonly filters?: readonly object[];
  readonly routes: readonly object[];
}

function listener(name: string, addresses: readonly string[], port: number, answers: Answers): Record<string, unknown> {
  const [first, ...others] = addresses.map((address) => ({ address: buildAddress({ address, port }) }));
  return {
    name,
    ...first,
    ...(others.length > 0 && { additional_addresses: others }),
    enable_reuse_port: false,
    // Who floods the workload's ports takes nothing from those who ask whether it is well.
    ignore_global_conn_limit: true,
    filter_chains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: http(name, answers) }] },
    ],
  };
}

function http(name: string, { filters = [], routes }: Answers): Record<string, unknown> {
  return {
    "@type": HTTP_MANAGER,
    stat_prefix: name,
    normalize_path: true,
    request_headers_timeout: "10s",
    common_http_protocol_options: { idle_timeout: "60s" },
    route_config: { name, virtual_hosts: [{ name, domains: ["*"], routes }] },
    http_filters: [
      ...filters,
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
  };
}

function route({ path, page }: Page): Record<string, unknown> {
  return {
    match: { path, headers: [{ name: ":method", string_match: { exact: "GET" } }] },
    route: { cluster: OWN_PAGES, prefix_rewrite: page },
  };
}
