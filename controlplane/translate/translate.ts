// consumes: a World, a class of proxies, the filter modules at hand
// produces: the IR of that class, and from it the Envoy messages
// never does: I/O; know which proxies are connected or what they were sent before
import { emptyResources, type EnvoyResources } from "./emit/resources.ts";
import type { World } from "../store/world.ts";
import { buildCluster } from "./emit/cluster.ts";
import { guardForwards } from "./emit/dynamic-forward.ts";
import { buildLoadAssignment } from "./emit/endpoint.ts";
import { buildGatewayListener } from "./emit/gateway-listener.ts";
import { type HttpChain, wasmFiltersOf } from "./emit/http-chain.ts";
import { buildInboundCluster } from "./emit/inbound-cluster.ts";
import { buildInboundListener } from "./emit/inbound-listener.ts";
import { buildConnectListener, buildOutboundListener } from "./emit/outbound-listener.ts";
import { buildRouteConfiguration, buildVirtualHosts } from "./emit/route-table.ts";
import { buildBlackHoleCluster, buildConnectCluster, buildPassthroughCluster } from "./emit/special-clusters.ts";
import { buildWasmExtension } from "./emit/wasm-filter.ts";
import { memoByContent } from "./emit/content-memo.ts";
import type { Cluster, ClusterLoadAssignment, Listener, VirtualHost } from "../../protos/build/envoy.ts";
import { upstreamName } from "./emit/names.ts";
import type { RouteTable } from "./ir/routes.ts";
import type { Upstream } from "./ir/upstream.ts";
import { memoByObject, memoByOwner } from "./resolve/memo.ts";
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
  resources.clusters = clustersOf(ir);
  resources.endpoints = endpointMap(ir.upstreams);
  resources.listeners = listenersFor(ir);
  for (const table of ir.routeTables) {
    const routes = buildRouteConfiguration(table, ir.outbound?.unknownHosts);
    resources.routes.set(table.name, { ...routes, ...(routes.virtualHosts && { virtualHosts: routes.virtualHosts.map((host) => guardForwards(host, isForward(resources.clusters))) }) });
  }
  resources.virtualHosts = virtualHostsOf(ir, resources.clusters);
  const chainsOf = (direction: HttpChain["direction"], places: readonly { readonly filters: HttpFilters }[]): readonly HttpChain[] => places.map(({ filters }) => ({ direction, filters }));
  const chains = [...chainsOf("outbound", ir.outbound ? [ir.outbound] : []), ...chainsOf("inbound", ir.inbound), ...chainsOf("gateway", ir.gatewayPorts)];
  for (const filter of chains.flatMap(wasmFiltersOf)) if (!resources.extensionConfigs.has(filter.name)) resources.extensionConfigs.set(filter.name, buildWasmExtension(filter));
  return { ...resources, routes: sorted(resources.routes), extensionConfigs: sorted(resources.extensionConfigs) };
}

const isForward = (clusters: ReadonlyMap<string, Cluster>) => (name: string): boolean => clusters.get(name)?.clusterType !== undefined;

/** Maps of the last states of the mesh: one that is equal to an earlier one is that one, so that what is made from it is made once. */
function stableMaps<V extends object>(): (map: Map<string, V>) => Map<string, V> {
  const last: Map<string, V>[] = [];
  return (map) => {
    const known = last.find((other) => isSame(other, map));
    if (known !== undefined) return known;
    last.unshift(map);
    if (last.length > 16) last.pop();
    return map;
  };
}

function isSame<V>(left: Map<string, V>, right: Map<string, V>): boolean {
  if (left.size !== right.size) return false;
  const others = right.entries();
  for (const [name, value] of left) {
    const [otherName, other] = others.next().value!;
    if (name !== otherName || value !== other) return false;
  }
  return true;
}

const stableClusters = stableMaps<Cluster>(), stableEndpoints = stableMaps<ClusterLoadAssignment>(), stableHosts = stableMaps<VirtualHost>();

const upstreamClusters = memoByOwner((trustDomain: string) => trustDomain, (upstreams: readonly Upstream[], trustDomain: string) =>
  stableClusters(sorted(new Map(upstreams.map((upstream) => buildCluster(upstream, trustDomain)).map((cluster) => [cluster.name ?? "", cluster])))));

const endpointMap = memoByObject((upstreams: readonly Upstream[]) =>
  stableEndpoints(sorted(new Map(upstreams.filter((upstream) => upstream.discovery.kind === "endpoints").map((upstream) => [upstreamName(upstream.id), buildLoadAssignment(upstream)])))));

const withOwn = memoByOwner((own: readonly Cluster[]) => JSON.stringify(own), (shared: Map<string, Cluster>, own: readonly Cluster[]) =>
  sorted(new Map([...shared, ...own.map((cluster) => [cluster.name ?? "", cluster] as const)])));

function clustersOf(ir: ProxyIr): Map<string, Cluster> {
  return withOwn(upstreamClusters(ir.upstreams, ir.trustDomain), [
    ...ir.inbound.map(buildInboundCluster),
    buildBlackHoleCluster(),
    ...(ir.outbound ? [buildConnectCluster()] : []),
    ...(ir.outbound?.unknownHosts === "forward" ? [buildPassthroughCluster()] : []),
  ]);
}

/** Hosts depend on the clusters only by which of them forward, and those are the upstreams' and the one for unknown hosts. */
const hostsOfTable = memoByOwner((_clusters: ReadonlyMap<string, Cluster>, key: string) => key, (table: RouteTable, clusters: ReadonlyMap<string, Cluster>) =>
  stableHosts(sorted(new Map([...buildVirtualHosts(table)].map(([name, host]) => [name, guardForwards(host, isForward(clusters))])))));

function virtualHostsOf(ir: ProxyIr, clusters: ReadonlyMap<string, Cluster>): Map<string, VirtualHost> {
  const maps = ir.routeTables.map((table) => hostsOfTable(table, clusters, ir.outbound?.unknownHosts ?? "none"));
  return maps.length === 1 && maps[0] !== undefined ? maps[0] : sorted(new Map(maps.flatMap((map) => [...map])));
}

/** The parts of an IR that listeners are made of. */
type ListenerParts = Pick<ProxyIr, "outbound" | "inbound" | "gatewayPorts" | "accessLog" | "trustDomain"> & { readonly forwards: boolean };

/** Listeners name their modules, which come apart: of a module only its hash counts. */
const contentOf = (parts: ListenerParts): string => JSON.stringify(parts, (_key, value: unknown) => (typeof value === "object" && value !== null && "sha256" in value ? value.sha256 : value));

/** The listeners by name; the same map for the same content. */
const listenersOf = memoByContent(contentOf, ({ outbound, inbound, gatewayPorts, accessLog, trustDomain, forwards }: ListenerParts): Map<string, Listener> => {
  const settings = { accessLog, forwards };
  const all = [
    ...(outbound ? [buildConnectListener(outbound, settings), buildOutboundListener(outbound, settings)] : []),
    ...inbound.map((port) => buildInboundListener(port, { trustDomain, accessLog })),
    ...gatewayPorts.map((port) => buildGatewayListener(port, settings)),
  ];
  return sorted(new Map(all.map((listener) => [listener.name ?? "", listener])));
});

const anyForwards = memoByObject((upstreams: readonly Upstream[]) => upstreams.some((upstream) => upstream.discovery.kind === "forward"));

function listenersFor({ outbound, inbound, gatewayPorts, accessLog, trustDomain, upstreams }: ProxyIr): Map<string, Listener> {
  const forwards = outbound?.unknownHosts === "forward" || anyForwards(upstreams);
  return listenersOf({ outbound, inbound, gatewayPorts, accessLog, trustDomain, forwards }, "");
}

/** By name, so that nothing depends on the order in which things were found. */
function sorted<V>(map: ReadonlyMap<string, V>): Map<string, V> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
