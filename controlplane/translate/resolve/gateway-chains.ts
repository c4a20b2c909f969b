// How the connections of one gateway port are told apart, and where each kind leads.
import { hostMatches, isWildcardHost, parseScopedHost } from "../../model/hosts.ts";
import { isFailed } from "../../model/failure.ts";
import { isHttpServer, isPassedOn } from "../../model/kinds/gateway.ts";
import type { World } from "../../world/world.ts";
import type { GatewayChain, GatewayTarget } from "../ir/gateway.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { RouteTable } from "../ir/routes.ts";
import { type Upstream, upstreamText } from "../ir/upstream.ts";
import { type ConnectionTarget, isKnownForHttp } from "./connection-route.ts";
import type { DestinationResolver } from "./destination.ts";
import { type GatewayServer, resolveGatewayTable, sharedHosts } from "./gateway-routes.ts";
import { resolveServerTls } from "./gateway-tls.ts";
import { passedOnUpstreams } from "./passed-on-upstream.ts";
import type { RouteContext } from "./request-match.ts";
import { resolveTcpRoutes } from "./tcp-route.ts";
import { resolveTlsRoutes } from "./tls-route.ts";
import { connectionServicesFor, hostsOf } from "./virtual-service.ts";

/** What is gathered while ports are resolved. */
export interface Gathering {
  readonly world: World;
  readonly proxy: ProxyClass;
  readonly destinations: DestinationResolver;
  /** Upstreams to which mutual TLS of sidecars is passed on. */
  readonly passedOn: Set<Upstream>;
  readonly notes: string[];
}

export interface PortChains {
  readonly chains: readonly GatewayChain[];
  readonly tables: readonly RouteTable[];
}

/** Returns a server as notes name it. */
export function describeServer({ gateway, spec }: GatewayServer): string {
  return `Gateway ${gateway.metadata.namespace}/${gateway.metadata.name} server ${spec.port.name}`;
}

/** One port while its servers, which are in order of their Gateways' age, are gone through. */
interface Port extends Gathering {
  readonly port: number;
  /** Names that TLS asks for, of servers that were gone through. */
  readonly claimed: Set<string>;
}

/** Returns the one chain of a port of plain HTTP. */
export function httpChains(gathering: Gathering, port: number, servers: readonly GatewayServer[]): PortChains {
  const routeTable = `http.${port}`;
  return {
    chains: [{ name: routeTable, to: { kind: "requests", routeTable } }],
    tables: [tableOf({ ...gathering, port }, routeTable, servers)],
  };
}

/** Returns the one chain of a port of connections in plaintext, of which there is one server; none without a route. */
export function tcpChains(gathering: Gathering, port: number, servers: readonly GatewayServer[]): PortChains {
  const [target] = servers.flatMap((server) => tcpTarget({ ...gathering, port }, server) ?? []);
  return { chains: target === undefined ? [] : [{ name: `tcp.${port}`, to: target }], tables: [] };
}

/** Returns the chains of a port on which everything begins with TLS. */
export function tlsChains(gathering: Gathering, port: number, servers: readonly GatewayServer[]): PortChains {
  const of: Port = { ...gathering, port, claimed: new Set() };
  const shares = servers.map((server) => {
    const { mode } = server.spec.tls ?? {};
    if (!isPassedOn(mode)) return endedChain(of, server);
    return mode === "AUTO_PASSTHROUGH" ? autoPassedChains(of, server) : passedChains(of, server);
  });
  return { chains: shares.flatMap(({ chains }) => chains), tables: shares.flatMap(({ tables }) => tables) };
}

function endedChain(of: Port, server: GatewayServer): PortChains {
  const tls = resolveServerTls(of.world, of.proxy.namespace, server.spec.tls ?? {});
  if (isFailed(tls)) {
    of.notes.push(`${describeServer(server)}: ${tls.message}`);
    return NOTHING;
  }
  const isHttp = isHttpServer(server.spec);
  const name = chainName(isHttp ? "https" : "tls", server);
  const to = isHttp ? ({ kind: "requests", routeTable: name } as const) : tcpTarget(of, server);
  if (to === undefined) return NOTHING;
  const free = claim(of, server, namesOf(server));
  if (free.length === 0) return NOTHING;
  return { chains: [tlsChain(name, free, { tls, to })], tables: isHttp ? [tableOf(of, name, [server])] : [] };
}

/** The names are those of the rules, as far as the server lets them through. */
function passedChains(of: Port, server: GatewayServer): PortChains {
  const { context, rules } = rulesOf(of, server);
  const chains = rules.flatMap((rule) =>
    resolveTlsRoutes(rule, context, of.destinations).flatMap(({ serverNames, targets }): readonly GatewayChain[] => {
      const free = claim(of, server, sharedHosts(server, rule, serverNames));
      return free.length === 0 || targets.length === 0
        ? []
        : [tlsChain(chainName("tls", server), free, { to: connectionsTo(targets) })];
    }),
  );
  if (chains.length === 0) of.notes.push(`${describeServer(server)}: no VirtualService has a tls route for it`);
  return { chains, tables: [] };
}

/** One chain for each upstream that sidecars may ask for by name. */
function autoPassedChains(of: Port, server: GatewayServer): PortChains {
  const patterns = namesOf(server);
  const chains = passedOnUpstreams(of.world, of.proxy.namespace)
    .filter(({ id }) => patterns.some((pattern) => hostMatches(pattern, id.host)))
    .flatMap((upstream): readonly GatewayChain[] => {
      const free = claim(of, server, [upstreamText(upstream.id).toLowerCase()]);
      if (free.length === 0) return [];
      of.passedOn.add(upstream);
      const to = connectionsTo([{ upstream, weight: 1 }]);
      return [tlsChain(chainName("tls", server), free, { onlyFromSidecars: true, to })];
    });
  return { chains, tables: [] };
}

/** Which of these names are free, and from now on the server's; TLS knows full names and `*.` before one. */
function claim({ claimed, notes, port }: Port, server: GatewayServer, names: readonly string[]): readonly string[] {
  const known = [...new Set(names)].filter((name) => !isWildcardHost(name) || name === "*" || name.startsWith("*."));
  const free = known.filter((name) => !claimed.has(name));
  for (const name of known) {
    if (claimed.has(name))
      notes.push(`${describeServer(server)}: ${name} is answered by an older server of port ${port}`);
    claimed.add(name);
  }
  return free;
}

/** The first route of the first VirtualService that has one for the server. */
function tcpTarget(of: Omit<Port, "claimed">, server: GatewayServer): GatewayTarget | undefined {
  const { context, rules } = rulesOf(of, server);
  for (const rule of rules) {
    if (sharedHosts(server, rule, hostsOf(rule)).length === 0) continue;
    const [route] = resolveTcpRoutes(rule, context, of.destinations);
    if (route !== undefined && route.targets.length > 0) return connectionsTo(route.targets);
  }
  of.notes.push(`${describeServer(server)}: no VirtualService has a tcp route for it`);
  return undefined;
}

function rulesOf({ world, proxy, port }: Omit<Port, "claimed">, { gateway }: GatewayServer) {
  const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`;
  const context: RouteContext = { namespace: proxy.namespace, labels: proxy.labels, gateway: name, port };
  return { context, rules: connectionServicesFor(world, proxy.namespace, name) };
}

function tableOf(of: Omit<Port, "claimed">, name: string, servers: readonly GatewayServer[]): RouteTable {
  return resolveGatewayTable(of.world, of.proxy, name, of.port, servers, of.destinations);
}

const NOTHING: PortChains = { chains: [], tables: [] };

/** As Istio names the routes of such a server: `https.443.https-shop.front.default`. */
function chainName(protocol: "https" | "tls", { gateway, spec }: GatewayServer): string {
  return `${protocol}.${spec.port.number}.${spec.port.name}.${gateway.metadata.name}.${gateway.metadata.namespace}`;
}

function tlsChain(
  server: string,
  names: readonly string[],
  rest: Pick<GatewayChain, "tls" | "to" | "onlyFromSidecars">,
): GatewayChain {
  const serverNames = names.includes("*") ? [] : names;
  return { name: `${server}~${serverNames.join(",")}`, serverNames, ...rest };
}

/** The names of a server's hosts, whatever namespaces' rules they are for. */
function namesOf({ spec }: GatewayServer): readonly string[] {
  return spec.hosts.map((host) => parseScopedHost(host).host.toLowerCase());
}

function connectionsTo(targets: readonly ConnectionTarget[]): GatewayTarget {
  return {
    kind: "connections",
    targets: targets.map(({ upstream, weight }) => ({ upstream: upstream.id, weight })),
    isHttpTarget: targets.some(({ upstream }) => isKnownForHttp(upstream)),
  };
}
