// consumes: the route tables of a class of proxies
// produces: their route configurations and virtual hosts, by name; the same maps for the same parts
// never does: let a request for an unknown host out to local addresses
import type { RouteConfiguration, VirtualHost } from "../../../protos/build/envoy.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import type { ClassIr, UnknownHosts } from "../ir/proxy.ts";
import type { RouteTable } from "../ir/routes.ts";
import type { UpstreamId } from "../ir/upstream.ts";
import { forwardClusters, lookedUpHosts } from "./clusters.ts";
import { guardForwards } from "./dynamic-forward.ts";
import { byName, sorted } from "./resources.ts";
import { buildRouteConfiguration, buildVirtualHosts } from "./route-table.ts";

type Routing = Pick<ClassIr, "routeTables" | "upstreams" | "outbound" | "capturedOutbound">;

/** Returns the route configurations: small, and equal for all clients that reach the unknown alike. */
export function routesOf(routing: Routing): ReadonlyMap<string, RouteConfiguration> {
  const { routeTables, upstreams, outbound, capturedOutbound } = routing;
  const forwarding = forwardClusters(upstreams, lookedUpHosts(routing));
  const unknownHosts = outbound?.unknownHosts ?? capturedOutbound?.unknownHosts;
  const { egressProxy } = outbound ?? capturedOutbound ?? {};
  return oneRouteMap(byName(routeTables.map((table) => routesOfTable(forwarding, table, unknownHosts, egressProxy))));
}
const oneRouteMap = internedMaps<RouteConfiguration>();

const routesOfTable = memoized(
  (
    forwarding: ReadonlySet<string>,
    table: RouteTable,
    unknownHosts: UnknownHosts | undefined,
    egressProxy: UpstreamId | undefined,
  ) => {
    const routes = buildRouteConfiguration(table, unknownHosts, egressProxy);
    const { virtualHosts } = routes;
    return oneRoute(
      virtualHosts === undefined
        ? routes
        : { ...routes, virtualHosts: virtualHosts.map((host) => guarded(forwarding, host)) },
    );
  },
);
const oneRoute = interned(
  (routes: RouteConfiguration) => routes,
  (routes) => routes,
);

/** Returns the virtual hosts, which depend on the clusters only by which of them forward. */
export function virtualHostsOf(routing: Routing): ReadonlyMap<string, VirtualHost> {
  const { routeTables, upstreams } = routing;
  const forwarding = forwardClusters(upstreams, lookedUpHosts(routing));
  const [first, ...others] = routeTables.map((table) => hostsOfTable(forwarding, table));
  return first !== undefined && others.length === 0
    ? first
    : oneHostMap(sorted([...(first ?? []), ...others.flatMap((hosts) => [...hosts])]));
}

const hostsOfTable = memoized((forwarding: ReadonlySet<string>, table: RouteTable) =>
  oneHostMap(sorted([...buildVirtualHosts(table)].map(([name, host]) => [name, guarded(forwarding, host)]))),
);
const oneHostMap = internedMaps<VirtualHost>();

const guarded = memoized((forwarding: ReadonlySet<string>, host: VirtualHost) =>
  guardForwards(host, (cluster) => forwarding.has(cluster)),
);
