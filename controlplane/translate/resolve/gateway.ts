// consumes: a World and a gateway proxy
// produces: its ports, route tables and the upstreams they lead to
// never does: look at Gateways that do not select the proxy
import { openedServers } from "../../model/kinds/gateway.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import { CIPHER_SUITES, type GatewayServerSpec } from "../../model/kinds/gateway.ts";
import { labelsMatch } from "../../model/labels.ts";
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";
import type { GatewayPort, GatewayTls } from "../ir/proxy.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { RouteTable } from "../ir/routes.ts";
import type { Upstream } from "../ir/upstream.ts";
import { credentialOf } from "./credential.ts";
import { createDestinations, type DestinationResolver } from "./destination.ts";
import { type GatewayServer, resolveGatewayTable } from "./gateway-routes.ts";
import { resolveHttpFilters } from "./http-filters.ts";
import type { Inputs } from "./modules.ts";

/** All of a gateway proxy that is not its upstreams' own. */
export interface GatewayView {
  readonly ports: readonly GatewayPort[];
  readonly tables: readonly RouteTable[];
  readonly upstreams: readonly Upstream[];
  readonly notes: readonly string[];
}

/** What is gathered while ports are resolved. */
interface Gathering {
  readonly world: World;
  readonly proxy: ProxyClass;
  readonly destinations: DestinationResolver;
  readonly notes: string[];
}

/** Strangers speak HTTP/2 wherever they may: applications that say nothing get HTTP/1.1 from a gateway, as in Istio. */
const fromGateway = memoized(
  (upstream: Upstream): Upstream => (upstream.protocol === "auto" ? { ...upstream, protocol: "http1" } : upstream),
);

/** Returns the view of a gateway proxy: servers of all Gateways that select it, by port, oldest Gateway first. */
export function resolveGateway(inputs: Inputs, proxy: ProxyClass): GatewayView {
  const { world } = inputs;
  const gathering: Gathering = {
    world,
    proxy,
    destinations: createDestinations(world, proxy.namespace, proxy.labels),
    notes: [],
  };
  const byPort = new Map<number, GatewayServer[]>();
  for (const gateway of world
    .list("Gateway")
    .filter((candidate) => labelsMatch(candidate.spec.selector, proxy.labels))) {
    for (const [, spec] of openedServers(gateway.spec))
      byPort.set(spec.port.number, [...(byPort.get(spec.port.number) ?? []), { gateway, spec }]);
  }
  const resolved = [...byPort]
    .sort(([a], [b]) => a - b)
    .flatMap(([port, servers]) => resolvePort(gathering, port, servers));
  // The router's resource is one for all ports of the proxy.
  const needed = resolved.some(({ tables }) => tables.some(needsRouter));
  return {
    ports: resolved.map(({ tables, ...port }) => ({
      ...port,
      filters: resolveHttpFilters(inputs, proxy, "gateway", needed, port.port),
    })),
    tables: resolved.flatMap(({ tables }) => tables),
    upstreams: [...gathering.destinations.used].map(fromGateway),
    notes: gathering.notes.sort(),
  };
}

function needsRouter(table: RouteTable): boolean {
  return table.virtualHosts.some((host) => host.decidedBy === "filter");
}

type ResolvedPort = Omit<GatewayPort, "filters"> & { readonly tables: readonly RouteTable[] };

function resolvePort(gathering: Gathering, port: number, servers: readonly GatewayServer[]): readonly ResolvedPort[] {
  if (!gathering.proxy.ports.some((own) => own.port === port)) {
    gathering.notes.push(`${servers.map(describe).join(", ")}: this proxy does not listen for port ${port}`);
    return [];
  }
  // One port speaks one protocol: the oldest Gateway's.
  const secure = isHttps(servers[0]);
  for (const server of servers)
    if (isHttps(server) !== secure)
      gathering.notes.push(`${describe(server)}: port ${port} already speaks ${secure ? "HTTPS" : "HTTP"}`);
  const agreeing = servers.filter((server) => isHttps(server) === secure);
  return secure ? httpsPort(gathering, port, agreeing) : httpPort(gathering, port, agreeing);
}

function httpPort(
  { world, proxy, destinations }: Gathering,
  port: number,
  servers: readonly GatewayServer[],
): readonly ResolvedPort[] {
  const routeTable = `http.${port}`;
  const table = resolveGatewayTable(world, proxy, routeTable, port, servers, destinations);
  return [{ port, kind: { protocol: "HTTP", routeTable }, tables: [table] }];
}

function httpsPort(gathering: Gathering, port: number, servers: readonly GatewayServer[]): readonly ResolvedPort[] {
  const claimed = new Set<string>();
  const byTable = new Map<string, GatewayServer[]>();
  const faces = servers.flatMap((server): readonly GatewayTls[] => {
    const face = tlsFace(gathering, server, claimed);
    if (face === undefined) return [];
    byTable.set(face.routeTable, [...(byTable.get(face.routeTable) ?? []), server]);
    return [face];
  });
  // Without a certificate nobody could connect; the port opens when there is one.
  if (faces.length === 0) return [];
  const tables = [...byTable].map(([name, of]) =>
    resolveGatewayTable(gathering.world, gathering.proxy, name, port, of, gathering.destinations),
  );
  return [{ port, kind: { protocol: "HTTPS", servers: faces }, tables }];
}

/** `claimed` holds the names (`*` for any) that older servers of the port answer to. */
function tlsFace(
  { world, proxy, notes }: Gathering,
  server: GatewayServer,
  claimed: Set<string>,
): GatewayTls | undefined {
  const { name, namespace } = server.gateway.metadata;
  const { port, tls } = server.spec;
  const credential = tls?.credentialName;
  const secretName = credential && secretOf(world, credential, proxy.namespace, namespace);
  if (!secretName) {
    notes.push(
      credential
        ? `${describe(server)}: there is no Secret ${credential} with a certificate and its key in ` +
            [...new Set([proxy.namespace, namespace])].join(" or ")
        : `${describe(server)}: no credentialName`,
    );
    return undefined;
  }
  const names = server.spec.hosts.map((host) => host.slice(host.indexOf("/") + 1).toLowerCase()).filter(isServerName);
  const free = names.filter((serverName) => !claimed.has(serverName));
  for (const serverName of names) {
    if (claimed.has(serverName))
      notes.push(`${describe(server)}: ${serverName} is answered by an older server of port ${port.number}`);
    claimed.add(serverName);
  }
  if (free.length === 0) return undefined;
  const routeTable = `https.${port.number}.${port.name}.${name}.${namespace}`;
  return { serverNames: free.includes("*") ? [] : free, secretName, ...versionsOf(server.spec), routeTable };
}

/** What nobody asks for, and what is left to Envoy, is its own default; suites that it does not know are left out. */
function versionsOf({ tls }: GatewayServerSpec): Pick<GatewayTls, "minVersion" | "maxVersion" | "cipherSuites"> {
  const { minProtocolVersion: min, maxProtocolVersion: max, cipherSuites = [] } = tls ?? {};
  return {
    ...(min !== undefined && min !== "TLS_AUTO" && { minVersion: min }),
    ...(max !== undefined && max !== "TLS_AUTO" && { maxVersion: max }),
    cipherSuites: cipherSuites.filter((suite) => CIPHER_SUITES.has(suite)),
  };
}

/** As in Istio a secret of the proxy's own namespace; else one of the Gateway's, told apart by its namespace. */
function secretOf(
  world: World,
  credential: string,
  proxyNamespace: string,
  gatewayNamespace: string,
): string | undefined {
  if (credentialOf(world.get("Secret", proxyNamespace, credential)) !== undefined) return `kubernetes://${credential}`;
  return credentialOf(world.get("Secret", gatewayNamespace, credential)) === undefined
    ? undefined
    : `kubernetes://${gatewayNamespace}/${credential}`;
}

/** SNI knows full names and `*.` before one. */
function isServerName(host: string): boolean {
  return !isWildcardHost(host) || host === "*" || host.startsWith("*.");
}

function isHttps(server: GatewayServer | undefined): boolean {
  return server?.spec.port.protocol === "HTTPS";
}

function describe({ gateway, spec }: GatewayServer): string {
  return `Gateway ${gateway.metadata.namespace}/${gateway.metadata.name} server ${spec.port.name}`;
}
