// One virtual host and its routes in Envoy's words.
import type { Route as EnvoyRoute, VirtualHost as EnvoyVirtualHost } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { Route, VirtualHost } from "../ir/routes.ts";
import type { UpstreamId } from "../ir/upstream.ts";
import { buildConnectTarget } from "./connect-target.ts";
import { buildCrossOrigin, CORS_FILTER } from "./cross-origin.ts";
import { interned } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import { buildFault, FAULT_FILTER } from "./fault.ts";
import {
  ALLOW_ANY_HOST,
  BLOCK_ALL_HOST,
  BLACK_HOLE_CLUSTER,
  configPath,
  CONNECT_NAME,
  DYNAMIC_DNS_HOST,
  SNIFFED_CONNECT_NAME,
  upstreamName,
  virtualHostName,
} from "./names.ts";
import { forwardName } from "./special-clusters.ts";
import { shareRetries } from "./retries.ts";
import { buildAction } from "./route-action.ts";
import { buildChosenMatch, buildNativeMatch } from "./route-match.ts";
import { buildRouterRules, choosableRoutes, ROUTER_METADATA } from "./router-rules.ts";

/**
 * Returns the virtual host as it is delivered for a route table; the same object for equal hosts. Its own `name` is its
 * resource name: Envoy finds a host that is to be removed by that.
 */
export function buildVirtualHost(table: string, host: VirtualHost): EnvoyVirtualHost {
  return hosts(host, table);
}

const hosts = interned(
  (host: VirtualHost) => host,
  (host, table): EnvoyVirtualHost => ({ ...body(host), name: virtualHostName(table, host.name) }),
);

/** Returns the virtual host as it stands inside a route table of its own. */
export const buildInnerHost = memoized((host: VirtualHost): EnvoyVirtualHost => ({ ...body(host), name: host.name }));

const FALLBACK_HOSTS: Readonly<Record<UnknownHosts, string>> = {
  forward: ALLOW_ANY_HOST,
  forwardByDns: DYNAMIC_DNS_HOST,
  refuse: BLOCK_ALL_HOST,
};

/** Returns the virtual host for every host that no other has; what may go on goes to the egress proxy, if there is one. */
export function buildFallbackHost(unknownHosts: UnknownHosts, egressProxy?: UpstreamId): EnvoyVirtualHost {
  const onward = forwardName(unknownHosts);
  const cluster = onward !== undefined && egressProxy !== undefined ? upstreamName(egressProxy) : onward;
  const answer: EnvoyRoute =
    cluster === undefined ? { directResponse: { status: 502 } } : { route: { cluster, timeout: { seconds: 0 } } };
  const name = FALLBACK_HOSTS[unknownHosts];
  const tunnel =
    cluster === undefined ? { name, match: { connectMatcher: {} }, ...answer } : tunnelRoute(cluster, cluster);
  return {
    name,
    domains: ["*"],
    routes: [tunnel, { name, match: { prefix: "/" }, ...answer }],
    includeRequestAttemptCount: true,
  };
}

function body(host: VirtualHost): Omit<EnvoyVirtualHost, "name"> {
  return {
    domains: host.domains,
    ...shareRetries([...connectRoutes(host), ...decidedRoutes(host)]),
    includeRequestAttemptCount: true,
    ...(host.requireTls && { requireTls: "ALL" }),
    ...(host.decidedBy === "filter" && {
      metadata: { filterMetadata: { [ROUTER_METADATA]: buildRouterRules(host.routes) } },
    }),
  };
}

/**
 * The router filter and the hosts that it decides for travel apart: while one of the two is a moment ahead of the
 * other, and only then, Envoy goes by the same routes itself. Without them a rule's first or last condition on a header
 * would cost requests a 404.
 */
function decidedRoutes({ routes, decidedBy }: VirtualHost): readonly EnvoyRoute[] {
  const native = routes.map((route) => buildRoute(route, "native"));
  return decidedBy === "filter"
    ? [...choosableRoutes(routes).map((route) => buildRoute(route, "filter")), ...native]
    : native;
}

function buildRoute(route: Route, decidedBy: VirtualHost["decidedBy"]): EnvoyRoute {
  return {
    name: route.name,
    match: decidedBy === "filter" ? buildChosenMatch(route) : buildNativeMatch(route.match),
    ...buildAction(route),
    ...(route.origin !== undefined && {
      metadata: { filterMetadata: { istio: { config: configPath("virtual-service", route.origin) } } },
    }),
    ...((route.fault || route.crossOrigin) && { typedPerFilterConfig: filterConfigs(route) }),
    ...(route.statPrefix && { statPrefix: route.statPrefix }),
  };
}

function filterConfigs({ fault, crossOrigin }: Route): EnvoyRoute["typedPerFilterConfig"] {
  return {
    ...(fault && { [FAULT_FILTER]: packAny("HTTPFault", buildFault(fault)) }),
    ...(crossOrigin && { [CORS_FILTER]: packAny("CorsPolicy", buildCrossOrigin(crossOrigin)) }),
  };
}

function connectRoutes(host: VirtualHost): readonly EnvoyRoute[] {
  if (host.connect === undefined) return [];
  if (host.connect.kind === "tunnel") return [tunnelRoute("tunnel", upstreamName(host.connect.upstream))];
  const { kind, opaque } = host.connect;
  const listener = kind === "sniffed" ? SNIFFED_CONNECT_NAME : CONNECT_NAME;
  return [tunnelRoute("connect", listener, opaque === undefined ? BLACK_HOLE_CLUSTER : upstreamName(opaque))];
}

/**
 * A CONNECT is answered and its bytes go to the cluster; `opaque` is where they go when the proxy itself reads on and
 * finds no HTTP.
 */
function tunnelRoute(name: string, cluster: string, opaque?: string): EnvoyRoute {
  return {
    name,
    match: { connectMatcher: {} },
    route: { cluster, timeout: { seconds: 0 }, upgradeConfigs: [{ upgradeType: "CONNECT", connectConfig: {} }] },
    ...(opaque !== undefined && { metadata: { filterMetadata: buildConnectTarget(opaque) } }),
  };
}
