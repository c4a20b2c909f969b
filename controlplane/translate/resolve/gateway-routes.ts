// The route table of one gateway port: VirtualServices bound to its Gateways, merged by host.
import { hostMatches, parseScopedHost, resolveHost } from "../../model/hosts.ts";
import type { GatewayServerSpec } from "../../model/kinds/gateway.ts";
import { compareText, type MeshObject } from "../../model/object.ts";
import type { World } from "../../world/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { Route, RouteTable, VirtualHost } from "../ir/routes.ts";
import type { DestinationResolver } from "./destination.ts";
import { resolveHttpRoutes } from "./http-route.ts";
import { decisionOf, type Engine, engineOf } from "./engine.ts";
import { isCatchAll } from "./request-match.ts";
import { hostsOf, type VirtualServiceObject, virtualServicesFor } from "./virtual-service.ts";

/** One server of one Gateway. */
export interface GatewayServer {
  readonly gateway: MeshObject<"Gateway">;
  readonly spec: GatewayServerSpec;
}

/** What is known of one host while servers and rules are gone through. */
interface HostBuilding {
  /** One entry for each VirtualService, by its key. */
  readonly routes: Map<string, readonly Route[]>;
  requireTls: boolean;
}

/**
 * Returns the table for servers that share it. Each host a server and a VirtualService agree on (the narrower of the
 * two) is a virtual host; several VirtualServices for one host merge, oldest first, routes for every request last.
 * Other hosts get 404.
 */
export function resolveGatewayTable(
  world: World,
  proxy: ProxyClass,
  name: string,
  port: number,
  servers: readonly GatewayServer[],
  destinations: DestinationResolver,
): RouteTable {
  // There is always a host for any name, with no route in it: a table that waits for its first virtual host would hold
  // its listener up.
  const hosts = new Map<string, HostBuilding>([["*", { routes: new Map(), requireTls: false }]]);
  for (const server of servers) {
    const gateway = `${server.gateway.metadata.namespace}/${server.gateway.metadata.name}`;
    const context = { namespace: proxy.namespace, labels: proxy.labels, gateway, port };
    const rules = virtualServicesFor(world, proxy.namespace, gateway);
    for (const host of redirectedHosts(server)) buildingOf(hosts, host).requireTls = true;
    for (const rule of rules) {
      for (const host of sharedHosts(server, rule, hostsOf(rule))) {
        const building = buildingOf(hosts, host);
        const key = `${rule.metadata.namespace}/${rule.metadata.name}`;
        if (server.spec.tls?.httpsRedirect === true) building.requireTls = true;
        if (!building.routes.has(key)) building.routes.set(key, resolveHttpRoutes(world, rule, context, destinations));
      }
    }
  }
  const virtualHosts = [...hosts]
    .sort(([a], [b]) => compareText(a, b))
    .map(([host, building]) => virtualHost(engineOf(world, proxy), host, port, building));
  return { name, virtualHosts, ignorePort: true };
}

function buildingOf(hosts: Map<string, HostBuilding>, host: string): HostBuilding {
  let building = hosts.get(host);
  if (building === undefined) hosts.set(host, (building = { routes: new Map(), requireTls: false }));
  return building;
}

function virtualHost(engine: Engine, host: string, port: number, building: HostBuilding): VirtualHost {
  const lists = [...building.routes.values()].filter((list) => list.length > 0);
  const all =
    lists.length === 1
      ? lists.flat()
      : lists.flatMap((list, index) => list.map((route) => ({ ...route, key: `${index}.${route.key}` })));
  const routes = [
    ...all.filter((route) => !isCatchAll(route.match)),
    ...all.filter((route) => isCatchAll(route.match)).slice(0, 1),
  ];
  return {
    name: `${host}:${port}`,
    domains: [host],
    routes,
    decidedBy: decisionOf(engine, routes),
    requireTls: building.requireTls,
  };
}

/** A server that only redirects needs no VirtualService to do so. */
function redirectedHosts(server: GatewayServer): readonly string[] {
  return server.spec.tls?.httpsRedirect === true
    ? server.spec.hosts.map((host) => parseScopedHost(host).host.toLowerCase())
    : [];
}

/**
 * Returns the names for which both stand, the server and a rule's `names`: of two of which one covers the other, the
 * narrower. A server may let through rules of some namespaces only.
 */
export function sharedHosts(
  server: GatewayServer,
  rule: VirtualServiceObject,
  names: readonly string[],
): readonly string[] {
  const own = server.gateway.metadata.namespace;
  const shared = new Set<string>();
  for (const text of server.spec.hosts) {
    const { namespace, host } = parseScopedHost(text);
    if (
      namespace !== undefined &&
      namespace !== "*" &&
      (namespace === "." ? own : namespace) !== rule.metadata.namespace
    )
      continue;
    const served = host.includes(".") || host === "*" ? host.toLowerCase() : resolveHost(host, own);
    for (const ruled of names) {
      if (hostMatches(served, ruled)) shared.add(ruled);
      else if (hostMatches(ruled, served)) shared.add(served);
    }
  }
  return [...shared];
}
