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

/** Returns what makes the chains of a port from its servers, which are in order of their Gateways' age. */
export function createPortChains(gathering: Gathering, port: number) {
  const { world, proxy, destinations, notes } = gathering;
  const claimed = new Set<string>();

  const table = (name: string, servers: readonly GatewayServer[]): RouteTable =>
    resolveGatewayTable(world, proxy, name, port, servers, destinations);

  /** Which of these names are free, from now on this server's; SNI knows full names and `*.` before one. */
  const claim = (server: GatewayServer, names: readonly string[]): readonly string[] => {
    const known = [...new Set(names)].filter((name) => !isWildcardHost(name) || name === "*" || name.startsWith("*."));
    const free = known.filter((name) => !claimed.has(name));
    for (const name of known) {
      if (claimed.has(name))
        notes.push(`${describeServer(server)}: ${name} is answered by an older server of port ${port}`);
      claimed.add(name);
    }
    return free;
  };

  const rulesOf = ({ gateway }: GatewayServer) => {
    const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`;
    const context: RouteContext = { namespace: proxy.namespace, labels: proxy.labels, gateway: name, port };
    return { context, rules: connectionServicesFor(world, proxy.namespace, name) };
  };

  /** The first route of the first VirtualService that has one for the server. */
  const tcpTarget = (server: GatewayServer): GatewayTarget | undefined => {
    const { context, rules } = rulesOf(server);
    for (const rule of rules) {
      if (sharedHosts(server, rule, hostsOf(rule)).length === 0) continue;
      const [route] = resolveTcpRoutes(rule, context, destinations);
      if (route !== undefined && route.targets.length > 0) return connectionsTo(route.targets);
    }
    notes.push(`${describeServer(server)}: no VirtualService has a tcp route for it`);
    return undefined;
  };

  const endedChain = (server: GatewayServer): PortChains => {
    const tls = resolveServerTls(world, proxy.namespace, server.spec.tls ?? {});
    if (isFailed(tls)) {
      notes.push(`${describeServer(server)}: ${tls.message}`);
      return NOTHING;
    }
    const isHttp = isHttpServer(server.spec);
    const target = isHttp ? undefined : tcpTarget(server);
    if (!isHttp && target === undefined) return NOTHING;
    const free = claim(server, namesOf(server));
    if (free.length === 0) return NOTHING;
    const name = chainName(isHttp ? "https" : "tls", server);
    const to: GatewayTarget = target ?? { kind: "requests", routeTable: name };
    return { chains: [tlsChain(name, free, { tls, to })], tables: isHttp ? [table(name, [server])] : [] };
  };

  /** The names are those of the rules, as far as the server lets them through. */
  const passedChains = (server: GatewayServer): PortChains => {
    const { context, rules } = rulesOf(server);
    const chains = rules.flatMap((rule) =>
      resolveTlsRoutes(rule, context, destinations).flatMap(({ serverNames, targets }): readonly GatewayChain[] => {
        const free = claim(server, sharedHosts(server, rule, serverNames));
        return free.length === 0 || targets.length === 0
          ? []
          : [tlsChain(chainName("tls", server), free, { to: connectionsTo(targets) })];
      }),
    );
    if (chains.length === 0) notes.push(`${describeServer(server)}: no VirtualService has a tls route for it`);
    return { chains, tables: [] };
  };

  /** One chain for each upstream that sidecars may ask for by name. */
  const autoPassedChains = (server: GatewayServer): PortChains => {
    const patterns = namesOf(server);
    const chains = passedOnUpstreams(world, proxy.namespace)
      .filter(({ id }) => patterns.some((pattern) => hostMatches(pattern, id.host)))
      .flatMap((upstream): readonly GatewayChain[] => {
        const free = claim(server, [upstreamText(upstream.id).toLowerCase()]);
        if (free.length === 0) return [];
        gathering.passedOn.add(upstream);
        const to = connectionsTo([{ upstream, weight: 1 }]);
        return [tlsChain(chainName("tls", server), free, { onlyFromSidecars: true, to })];
      });
    return { chains, tables: [] };
  };

  return {
    ofHttp(servers: readonly GatewayServer[]): PortChains {
      const routeTable = `http.${port}`;
      const to = { kind: "requests", routeTable } as const;
      return { chains: [{ name: routeTable, to }], tables: [table(routeTable, servers)] };
    },
    ofTcp(servers: readonly GatewayServer[]): PortChains {
      const [target] = servers.flatMap((server) => tcpTarget(server) ?? []);
      return { chains: target === undefined ? [] : [{ name: `tcp.${port}`, to: target }], tables: [] };
    },
    ofTls(servers: readonly GatewayServer[]): PortChains {
      const shares = servers.map((server) => {
        const { mode } = server.spec.tls ?? {};
        if (!isPassedOn(mode)) return endedChain(server);
        return mode === "AUTO_PASSTHROUGH" ? autoPassedChains(server) : passedChains(server);
      });
      return {
        chains: shares.flatMap(({ chains }) => chains),
        tables: shares.flatMap(({ tables }) => tables),
      };
    },
  };
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
