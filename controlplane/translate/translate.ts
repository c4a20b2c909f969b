// consumes: a World, a class of proxies, the filter modules at hand
// produces: the IR of that class, and from it the Envoy messages
// never does: I/O; know which proxies are connected or what they were sent before
import { emptyResources, type EnvoyResources } from "./emit/resources.ts";
import type { World } from "../store/world.ts";
import { buildCluster } from "./emit/cluster.ts";
import { guardForwards } from "./emit/dynamic-forward.ts";
import { buildLoadAssignment } from "./emit/endpoint.ts";
import { buildGatewayListener } from "./emit/gateway-listener.ts";
import { wasmFiltersOf } from "./emit/http-chain.ts";
import { buildInboundCluster } from "./emit/inbound-cluster.ts";
import { buildInboundListener } from "./emit/inbound-listener.ts";
import { buildConnectListener, buildOutboundListener } from "./emit/outbound-listener.ts";
import { buildRouteConfiguration, buildVirtualHosts } from "./emit/route-table.ts";
import { buildBlackHoleCluster, buildConnectCluster, buildPassthroughCluster } from "./emit/special-clusters.ts";
import { buildWasmExtension } from "./emit/wasm-filter.ts";
import type { HttpFilters } from "./ir/filters.ts";
import type { PluginModules } from "./ir/modules.ts";
import type { ProxyIr } from "./ir/proxy.ts";
import type { ProxyClass } from "./ir/proxy-class.ts";
import { resolveAccessLog } from "./resolve/access-log.ts";
import { resolveGateway } from "./resolve/gateway.ts";
import { resolveHttpFilters } from "./resolve/http-filters.ts";
import { resolveInbound } from "./resolve/inbound.ts";
import { resolveOutbound } from "./resolve/outbound.ts";

/** Returns all that a class of proxies needs. Replicas of one workload share what does not depend on their own addresses, by reference. */
export function resolveProxy(world: World, proxy: ProxyClass, modules: PluginModules): ProxyIr {
  const accessLog = resolveAccessLog(world.mesh);
  const common = { ...(accessLog && { accessLog }), trustDomain: world.mesh.trustDomain };
  if (proxy.kind === "router") {
    const { ports, tables, upstreams, notes } = resolveGateway(world, proxy, modules);
    return { ...common, upstreams, routeTables: tables, inbound: [], gatewayPorts: ports, notes };
  }
  const inbound = resolveInbound(world, proxy, modules);
  if (proxy.outbound === undefined) return { ...common, upstreams: [], routeTables: [], inbound, gatewayPorts: [], notes: [] };
  const { table, upstreams, unknownHosts } = resolveOutbound(world, proxy.namespace, proxy.labels);
  const needsRouter = table.virtualHosts.some((host) => host.decidedBy === "filter");
  const filters = resolveHttpFilters(world, proxy, "outbound", modules, needsRouter);
  return { ...common, upstreams, routeTables: [table], outbound: { bind: proxy.outbound, routeTable: table.name, filters, unknownHosts }, inbound, gatewayPorts: [], notes: [] };
}

/** Returns the Envoy messages of an IR, every kind by resource name. */
export function emitProxy(ir: ProxyIr): EnvoyResources {
  const resources = emptyResources();
  emitUpstreams(ir, resources);
  emitListeners(ir, resources);
  const isForward = (cluster: string) => resources.clusters.get(cluster)?.clusterType !== undefined;
  for (const table of ir.routeTables) {
    const routes = buildRouteConfiguration(table, ir.outbound?.unknownHosts);
    resources.routes.set(table.name, { ...routes, ...(routes.virtualHosts && { virtualHosts: routes.virtualHosts.map((host) => guardForwards(host, isForward)) }) });
    for (const [name, host] of buildVirtualHosts(table)) resources.virtualHosts.set(name, guardForwards(host, isForward));
  }
  const chains: readonly HttpFilters[] = [...(ir.outbound ? [ir.outbound] : []), ...ir.inbound, ...ir.gatewayPorts].map((place) => place.filters);
  for (const filter of chains.flatMap(wasmFiltersOf)) if (!resources.extensionConfigs.has(filter.name)) resources.extensionConfigs.set(filter.name, buildWasmExtension(filter));
  return sorted(resources);
}

function emitUpstreams(ir: ProxyIr, { clusters, endpoints }: EnvoyResources): void {
  for (const upstream of ir.upstreams) {
    const cluster = buildCluster(upstream, ir.trustDomain);
    const name = cluster.name ?? "";
    clusters.set(name, cluster);
    if (cluster.type === "EDS") endpoints.set(name, buildLoadAssignment(upstream));
  }
  const own = [
    ...ir.inbound.map(buildInboundCluster),
    buildBlackHoleCluster(),
    ...(ir.outbound ? [buildConnectCluster()] : []),
    ...(ir.outbound?.unknownHosts === "forward" ? [buildPassthroughCluster()] : []),
  ];
  for (const cluster of own) clusters.set(cluster.name ?? "", cluster);
}

function emitListeners(ir: ProxyIr, { listeners }: EnvoyResources): void {
  const forwards = ir.outbound?.unknownHosts === "forward" || ir.upstreams.some((upstream) => upstream.discovery.kind === "forward");
  const settings = { accessLog: ir.accessLog, forwards };
  const all = [
    ...(ir.outbound ? [buildConnectListener(ir.outbound, settings), buildOutboundListener(ir.outbound, settings)] : []),
    ...ir.inbound.map((port) => buildInboundListener(port, { trustDomain: ir.trustDomain, accessLog: ir.accessLog })),
    ...ir.gatewayPorts.map((port) => buildGatewayListener(port, settings)),
  ];
  for (const listener of all) listeners.set(listener.name ?? "", listener);
}

/** By name, so that nothing depends on the order in which things were found. */
function sorted(resources: EnvoyResources): EnvoyResources {
  const byName = <V>(map: Map<string, V>) => new Map([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  return {
    clusters: byName(resources.clusters),
    endpoints: byName(resources.endpoints),
    listeners: byName(resources.listeners),
    routes: byName(resources.routes),
    virtualHosts: byName(resources.virtualHosts),
    extensionConfigs: byName(resources.extensionConfigs),
  };
}
