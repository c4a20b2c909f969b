// consumes: a World and a gateway proxy
// produces: its ports, route tables and the upstreams they lead to
// never does: look at Gateways that do not select the proxy
import { openedServers, portProtocol } from "../../model/kinds/gateway.ts";
import { labelsMatch } from "../../model/labels.ts";
import { memoized } from "../../world/memo.ts";
import type { ConnectionFilters, GatewayPort } from "../ir/gateway.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { RouteTable } from "../ir/routes.ts";
import type { Upstream } from "../ir/upstream.ts";
import { resolveAuthorization, withoutHttp } from "./authorization-policy.ts";
import { createDestinations } from "./destination.ts";
import { describeServer, type Gathering, httpChains, type PortChains, tcpChains, tlsChains } from "./gateway-chains.ts";
import type { GatewayServer } from "./gateway-routes.ts";
import { resolveHttpFilters } from "./http-filters.ts";
import { resolveNetworkPlugins } from "./wasm-plugin.ts";
import type { Inputs } from "./modules.ts";
import { resolveTcpTelemetry } from "./telemetry.ts";

/** All of a gateway proxy that is not its upstreams' own. */
export interface GatewayView {
  readonly ports: readonly GatewayPort[];
  readonly tables: readonly RouteTable[];
  readonly upstreams: readonly Upstream[];
  readonly notes: readonly string[];
}

/** Strangers speak HTTP/2 wherever they may: applications that say nothing get HTTP/1.1 from a gateway, as in Istio. */
const fromGateway = memoized(
  (upstream: Upstream): Upstream => (upstream.protocol === "auto" ? { ...upstream, protocol: "http1" } : upstream),
);

/** Returns the view of a gateway proxy: servers of all Gateways that select it, by port, oldest Gateway first. */
export function resolveGateway(inputs: Inputs, proxy: ProxyClass): GatewayView {
  const { world } = inputs;
  const destinations = createDestinations(world, proxy.namespace, proxy.labels);
  const gathering: Gathering = { world, proxy, destinations, passedOn: new Set(), notes: [] };
  const byPort = new Map<number, GatewayServer[]>();
  for (const gateway of world
    .list("Gateway")
    .filter((candidate) => labelsMatch(candidate.spec.selector, proxy.labels))) {
    for (const [, spec] of openedServers(gateway.spec))
      byPort.set(spec.port.number, [...(byPort.get(spec.port.number) ?? []), { gateway, spec }]);
  }
  const opened = [...byPort]
    .sort(([a], [b]) => a - b)
    .map(([port, servers]) => ({ port, ...resolvePort(gathering, port, servers) }))
    // Without a chain nobody could connect; the port opens when there is one.
    .filter(({ chains }) => chains.length > 0);
  const tables = opened.flatMap((port) => port.tables);
  // The router's resource is one for all ports of the proxy.
  const needsRouter = tables.some((table) => table.virtualHosts.some((host) => host.decidedBy === "filter"));
  const connections = opened.some(leadsConnections) ? connectionFilters(inputs, proxy) : undefined;
  return {
    ports: opened.map(({ port, ...chained }) => ({
      port,
      chains: chained.chains,
      filters: resolveHttpFilters(inputs, proxy, "gateway", needsRouter, port),
      networkPlugins: resolveNetworkPlugins(inputs, proxy, { direction: "gateway", port }),
      ...(connections && leadsConnections(chained) && { connections }),
    })),
    tables,
    upstreams: [...[...destinations.used].map(fromGateway), ...gathering.passedOn],
    notes: gathering.notes.sort(),
  };
}

function leadsConnections({ chains }: Pick<PortChains, "chains">): boolean {
  return chains.some(({ to }) => to.kind === "connections");
}

function connectionFilters(inputs: Inputs, proxy: ProxyClass): ConnectionFilters {
  const policies = resolveAuthorization(inputs.world, proxy);
  return {
    telemetry: resolveTcpTelemetry(inputs, proxy, "outbound"),
    ...(policies.length > 0 && { authorization: withoutHttp(policies) }),
  };
}

/** One port speaks one protocol, the oldest Gateway's: HTTP or TCP in plaintext, or TLS of every kind. */
function resolvePort(gathering: Gathering, port: number, servers: readonly GatewayServer[]): PortChains {
  const { notes, proxy } = gathering;
  if (!proxy.ports.some((own) => own.port === port)) {
    notes.push(`${servers.map(describeServer).join(", ")}: this proxy does not listen for port ${port}`);
    return { chains: [], tables: [] };
  }
  const spoken = portProtocol(servers[0]?.spec ?? {});
  const agreeing = servers.filter(({ spec }) => portProtocol(spec) === spoken);
  // Nothing tells the connections of two apart.
  const served = spoken === "TCP" ? agreeing.slice(0, 1) : agreeing;
  for (const server of servers)
    if (!served.includes(server)) notes.push(`${describeServer(server)}: port ${port} already speaks ${spoken}`);
  if (spoken === "HTTP") return httpChains(gathering, port, served);
  return spoken === "TCP" ? tcpChains(gathering, port, served) : tlsChains(gathering, port, served);
}
