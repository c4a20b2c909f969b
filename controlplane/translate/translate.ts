// consumes: a World, a class of proxies, the filter modules at hand
// produces: the IR of that class, and from it the Envoy messages
// never does: I/O; know which proxies are connected or what they were sent before
import { isDeepStrictEqual } from "node:util";
import { derived, keepOnlyAnswersOf, sameEntries } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { layered } from "../world/layered-map.ts";
import type { EmittedResources } from "./emit/resources.ts";
import { buildCluster } from "./emit/cluster.ts";
import { guardForwards } from "./emit/dynamic-forward.ts";
import { buildLoadAssignment } from "./emit/endpoint.ts";
import { buildGatewayListener } from "./emit/gateway-listener.ts";
import { type HttpChain, wasmFiltersOf } from "./emit/http-chain.ts";
import { buildInboundCluster } from "./emit/inbound-cluster.ts";
import { buildInboundListener } from "./emit/inbound-listener.ts";
import { buildConnectListener, buildOutboundListener, type OutboundSettings } from "./emit/outbound-listener.ts";
import { buildRouteConfiguration, buildVirtualHosts } from "./emit/route-table.ts";
import { blackHoleCluster, connectCluster, passthroughCluster } from "./emit/special-clusters.ts";
import { withNumberedFilters, withoutBytes } from "./emit/shared-filters.ts";
import { buildWasmExtension } from "./emit/wasm-filter.ts";
import { memoByContent } from "../world/content-memo.ts";
import type {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  RouteConfiguration,
  TypedExtensionConfig,
  VirtualHost,
} from "../../protos/build/envoy.ts";
import { upstreamName } from "./emit/names.ts";
import type { RouteTable } from "./ir/routes.ts";
import type { Upstream } from "./ir/upstream.ts";
import { memoByObject, memoByOwner } from "../world/memo.ts";
import type { WasmFilter } from "./ir/filters.ts";
import type { PluginModules } from "./ir/modules.ts";
import type { OutboundProxy, ProxyIr, SocketAddress } from "./ir/proxy.ts";
import { classKeyOf, type ProxyClass } from "./ir/proxy-class.ts";
import { resolveAccessLog } from "./resolve/access-log.ts";
import { resolveGateway } from "./resolve/gateway.ts";
import { engineOf, withEngine } from "./resolve/engine.ts";
import { resolveGuardNotes } from "./resolve/guards.ts";
import { resolveHttpFilters } from "./resolve/http-filters.ts";
import { resolveInbound } from "./resolve/inbound.ts";
import { modulesBeside, withModules } from "./resolve/modules.ts";
import { OUTBOUND_TABLE, resolveOutbound } from "./resolve/outbound.ts";
import { rateLimitUpstreams } from "./resolve/rate-limit.ts";
import { withoutIdentity } from "./resolve/without-identity.ts";

/**
 * Returns all that a class of proxies needs. What does not differ from an earlier answer is the same object, for this
 * class and for others.
 */
export function resolveProxy(world: World, proxy: ProxyClass, modules: PluginModules): ProxyIr {
  const ir = proxyIr(withModules(world, modules), proxy);
  return proxy.identity === "none" ? withoutIdentity(ir) : ir;
}

/** Lets go of what was kept for other states, now that this one is what proxies are served. */
export function keepOnlyWhatIsServed(world: World, modules: PluginModules): void {
  keepOnlyAnswersOf(withModules(world, modules));
}

const byClass = { keyOf: (proxy: ProxyClass) => classKeyOf(proxy) };

const proxyIr = derived((world: World, proxy: ProxyClass): ProxyIr => {
  const accessLog = resolveAccessLog(world, proxy.namespace, proxy.labels);
  const common = { ...(accessLog && { accessLog }), trustDomain: world.mesh.trustDomain };
  if (proxy.kind === "router") {
    const { ports, tables, upstreams, notes } = gatewayOf(world, proxy);
    return {
      ...common,
      upstreams: withRateLimits(world, proxy, upstreams),
      routeTables: tables,
      inbound: [],
      gatewayPorts: ports,
      notes: [...notes, ...guardNotesOf(world, proxy)],
    };
  }
  const inbound = inboundOf(world, proxy);
  const notes = guardNotesOf(world, proxy);
  if (proxy.outbound === undefined)
    return {
      ...common,
      upstreams: withRateLimits(world, proxy, NOTHING),
      routeTables: NOTHING,
      inbound,
      gatewayPorts: NOTHING,
      notes,
    };
  const { table, upstreams } = resolveOutbound(world, proxy.namespace, proxy.labels);
  return {
    ...common,
    upstreams: withRateLimits(world, proxy, upstreams),
    routeTables: [withEngine(table, engineOf(world, proxy))],
    outbound: outboundOf(world, proxy, proxy.outbound),
    inbound,
    gatewayPorts: NOTHING,
    notes,
  };
}, byClass);

const NOTHING: readonly never[] = [];

/**
 * What the proxy's routes lead to, and the rate limit services that its filters ask; the same list where that adds
 * nothing.
 */
function withRateLimits(world: World, proxy: ProxyClass, upstreams: readonly Upstream[]): readonly Upstream[] {
  const services = rateLimitUpstreams(world, proxy.namespace, proxy.labels, proxy.workload);
  return services.every((service) => upstreams.includes(service)) ? upstreams : joinedWith(upstreams, services);
}

const joinedWith = memoByOwner(
  (services: readonly Upstream[]) => services.map(numberOf).join(" "),
  (upstreams: readonly Upstream[], services: readonly Upstream[]) => [...new Set([...upstreams, ...services])],
);

const gatewayOf = derived(
  (world: World, proxy: ProxyClass) => resolveGateway(world, proxy, modulesBeside(world)),
  byClass,
);

const guardNotesOf = derived((world: World, proxy: ProxyClass) => resolveGuardNotes(world, proxy), {
  ...byClass,
  same: isDeepStrictEqual,
});

const inboundOf = derived((world: World, proxy: ProxyClass) => resolveInbound(world, proxy, modulesBeside(world)), {
  ...byClass,
  same: isDeepStrictEqual,
});

const outboundOf = derived(
  (world: World, proxy: ProxyClass, bind: SocketAddress): OutboundProxy => {
    const { needsRouter, unknownHosts } = outboundTraits(world, proxy);
    const filters = resolveHttpFilters(world, proxy, "outbound", modulesBeside(world), needsRouter);
    return { bind, routeTable: OUTBOUND_TABLE, filters, unknownHosts };
  },
  { ...byClass, same: isDeepStrictEqual },
);

/** All of a client's routes that its listeners are made from. */
const outboundTraits = derived(
  (world: World, proxy: ProxyClass) => {
    const { table, unknownHosts } = resolveOutbound(world, proxy.namespace, proxy.labels);
    return { needsRouter: needsRouter(withEngine(table, engineOf(world, proxy))), unknownHosts };
  },
  { ...byClass, same: isDeepStrictEqual },
);

const needsRouter = memoByObject((table: RouteTable) => table.virtualHosts.some((host) => host.decidedBy === "filter"));

/** Returns the Envoy messages of an IR, every kind by resource name; the same maps for the same parts. */
export const emitProxy = memoByObject((ir: ProxyIr): EmittedResources => {
  const clusters = clustersOf(ir);
  return {
    clusters,
    endpoints: endpointMap(ir.upstreams),
    listeners: listenersFor(ir),
    routes: routesOf(ir, isForward(clusters)),
    virtualHosts: virtualHostsOf(ir, isForward(clusters)),
    extensionConfigs: extensionsOf(ir),
  };
});

const isForward =
  (clusters: ReadonlyMap<string, Cluster>) =>
  (name: string): boolean =>
    clusters.get(name)?.clusterType !== undefined;

/** A number for each object, never given twice. */
const numberOf = memoByObject((_object: object) => ++lastNumber);
let lastNumber = 0;

/**
 * Maps that somebody uses: one that is equal to one of them is that one, so that what is made from it is made once.
 * Those of earlier states are let go of with their last user: a plugin's module stands in them, which may have
 * megabytes.
 */
function stableMaps<V extends object>(): (map: ReadonlyMap<string, V>) => ReadonlyMap<string, V> {
  const used = new Map<number, WeakRef<ReadonlyMap<string, V>>>();
  const forgotten = new FinalizationRegistry<number>((mark) => {
    if (used.get(mark)?.deref() === undefined) used.delete(mark);
  });
  return (map) => {
    const mark = markOf(map);
    const known = used.get(mark)?.deref();
    if (known !== undefined && sameEntries(known, map)) return known;
    used.set(mark, new WeakRef(map));
    forgotten.register(map, mark);
    return map;
  };
}

/** Equal for equal maps, and hardly ever for others. */
function markOf(map: ReadonlyMap<string, object>): number {
  let mark = map.size;
  for (const value of map.values()) mark = (Math.imul(mark, 31) + numberOf(value)) | 0;
  return mark;
}

const stableClusters = stableMaps<Cluster>(),
  stableEndpoints = stableMaps<ClusterLoadAssignment>(),
  stableHosts = stableMaps<VirtualHost>();

const upstreamClusters = memoByOwner(
  (trustDomain: string) => trustDomain,
  (upstreams: readonly Upstream[], trustDomain: string) =>
    stableClusters(
      sorted(
        new Map(
          upstreams
            .map((upstream) => buildCluster(upstream, trustDomain))
            .map((cluster) => [cluster.name ?? "", cluster]),
        ),
      ),
    ),
);

const endpointMap = memoByObject((upstreams: readonly Upstream[]) =>
  stableEndpoints(
    sorted(
      new Map(
        upstreams
          .filter((upstream) => upstream.discovery.kind === "endpoints")
          .map((upstream) => [upstreamName(upstream.id), buildLoadAssignment(upstream)]),
      ),
    ),
  ),
);

/** Clusters of a proxy's own: few, and the same for proxies whose applications have the same addresses. */
const ownClusters = memoByContent(
  ({ inbound, outbound }: Pick<ProxyIr, "inbound" | "outbound">) => [
    inbound.map(({ filters: _, ...port }) => port),
    outbound?.unknownHosts,
  ],
  ({ inbound, outbound }): ReadonlyMap<string, Cluster> => {
    const clusters = [
      ...inbound.map(buildInboundCluster),
      blackHoleCluster,
      ...(outbound ? [connectCluster] : []),
      ...(outbound?.unknownHosts === "forward" ? [passthroughCluster] : []),
    ];
    return sorted(new Map(clusters.map((cluster) => [cluster.name ?? "", cluster])));
  },
);

const ownClustersOf = memoByOwner(
  (outbound: OutboundProxy | undefined) => String(outbound?.unknownHosts),
  (inbound: ProxyIr["inbound"], outbound: OutboundProxy | undefined) =>
    ownClusters({ inbound, ...(outbound && { outbound }) }, ""),
);

function clustersOf({ upstreams, trustDomain, inbound, outbound }: ProxyIr): ReadonlyMap<string, Cluster> {
  return layered(upstreamClusters(upstreams, trustDomain), ownClustersOf(inbound, outbound));
}

const routesOfTable = memoByOwner(
  (key: string, ..._rest: unknown[]) => key,
  (
    table: RouteTable,
    _key: string,
    unknownHosts: OutboundProxy["unknownHosts"] | undefined,
    forwards: (name: string) => boolean,
  ): RouteConfiguration => {
    const routes = buildRouteConfiguration(table, unknownHosts);
    return {
      ...routes,
      ...(routes.virtualHosts && { virtualHosts: routes.virtualHosts.map((host) => guardForwards(host, forwards)) }),
    };
  },
);

/** Route configurations are small, and equal for all clients that reach the unknown alike. */
function routesOf(
  { routeTables, outbound }: ProxyIr,
  forwards: (name: string) => boolean,
): ReadonlyMap<string, RouteConfiguration> {
  return stableRoutes(
    sorted(
      new Map(
        routeTables.map((table) => [
          table.name,
          stableRoute(routesOfTable(table, outbound?.unknownHosts ?? "none", outbound?.unknownHosts, forwards), ""),
        ]),
      ),
    ),
  );
}

const stableRoutes = stableMaps<RouteConfiguration>();
const stableRoute = memoByContent(
  (route: RouteConfiguration) => route,
  (route): RouteConfiguration => route,
);

const guarded = memoByOwner(
  (_forwards: (name: string) => boolean, forwarding: string) => forwarding,
  (host: VirtualHost, forwards: (name: string) => boolean): VirtualHost => guardForwards(host, forwards),
);

/**
 * Hosts depend on the clusters only by which of them forward, and those are the upstreams' and the one for unknown
 * hosts.
 */
const hostsOfTable = memoByOwner(
  (_forwards: (name: string) => boolean, key: string) => key,
  (table: RouteTable, forwards: (name: string) => boolean, key: string) =>
    stableHosts(
      sorted(new Map([...buildVirtualHosts(table)].map(([name, host]) => [name, guarded(host, forwards, key)]))),
    ),
);

function virtualHostsOf(
  { routeTables, upstreams, outbound }: ProxyIr,
  forwards: (name: string) => boolean,
): ReadonlyMap<string, VirtualHost> {
  const forwarding = `${outbound?.unknownHosts ?? "none"} ${forwardingOf(upstreams)}`;
  const maps = routeTables.map((table) => hostsOfTable(table, forwards, forwarding));
  return maps.length === 1 && maps[0] !== undefined
    ? maps[0]
    : stableHosts(sorted(new Map(maps.flatMap((map) => [...map]))));
}

/** The parts of an IR that listeners are made of. */
type ListenerParts = Pick<ProxyIr, "inbound" | "gatewayPorts" | "trustDomain"> & {
  readonly outbound: OutboundProxy | undefined;
  readonly accessLog: ProxyIr["accessLog"] | undefined;
  readonly forwards: boolean;
};

/** It has no address of its own: proxies with equal filters share it. */
const connectListener = memoByContent(
  ({
    outbound: { bind: _, ...outbound },
    settings,
  }: {
    readonly outbound: OutboundProxy;
    readonly settings: OutboundSettings;
  }) => withNumberedFilters({ outbound, settings }),
  ({ outbound, settings }) => buildConnectListener(outbound, settings),
);

/** The listeners by name; the same map for the same content. */
const listenersOf = memoByContent(
  withNumberedFilters,
  ({
    outbound,
    inbound,
    gatewayPorts,
    accessLog,
    trustDomain,
    forwards,
  }: ListenerParts): ReadonlyMap<string, Listener> => {
    const settings = { accessLog, forwards };
    const all = [
      ...(outbound ? [connectListener({ outbound, settings }, ""), buildOutboundListener(outbound, settings)] : []),
      ...inbound.map((port) => buildInboundListener(port, { trustDomain, accessLog })),
      ...gatewayPorts.map((port) => buildGatewayListener(port, settings)),
    ];
    return sorted(new Map(all.map((listener) => [listener.name ?? "", listener])));
  },
);

const listenersByParts = memoByOwner(
  (_parts: ListenerParts, key: string) => key,
  (_inbound: ProxyIr["inbound"], parts: ListenerParts, _key: string) => listenersOf(parts, ""),
);

const forwardingOf = memoByObject((upstreams: readonly Upstream[]) =>
  upstreams
    .filter((upstream) => upstream.discovery.kind === "forward")
    .map(({ id }) => upstreamName(id))
    .sort()
    .join(" "),
);

function listenersFor({
  outbound,
  inbound,
  gatewayPorts,
  accessLog,
  trustDomain,
  upstreams,
}: ProxyIr): ReadonlyMap<string, Listener> {
  const forwards = outbound?.unknownHosts === "forward" || forwardingOf(upstreams) !== "";
  // Of these parts the same objects make the same listeners: content is looked at only where one is another object.
  const key = [outbound, gatewayPorts, accessLog].map((part) => (part === undefined ? 0 : numberOf(part))).join(" ");
  return listenersByParts(
    inbound,
    { outbound, inbound, gatewayPorts, accessLog, trustDomain, forwards },
    `${key} ${trustDomain} ${forwards}`,
  );
}

const extension = memoByContent(withoutBytes, buildWasmExtension);

type Chains = Pick<ProxyIr, "outbound" | "inbound" | "gatewayPorts">;

const chainsContent = ({ outbound, inbound, gatewayPorts }: Chains): string =>
  withNumberedFilters([
    outbound?.filters,
    inbound.map(({ filters, tcpTelemetry }) => [filters, tcpTelemetry]),
    gatewayPorts.map(({ filters }) => filters),
  ]);

const extensions = memoByContent(chainsContent, (ir: Chains): ReadonlyMap<string, TypedExtensionConfig> => {
  const found = new Map<string, TypedExtensionConfig>();
  for (const filter of wasmFilters(ir)) if (!found.has(filter.name)) found.set(filter.name, extension(filter, ""));
  return stableExtensions(sorted(found));
});

const extensionsByParts = memoByOwner(
  (_ir: ProxyIr, key: string) => key,
  (_inbound: ProxyIr["inbound"], { outbound, inbound, gatewayPorts }: ProxyIr, _key: string) =>
    extensions({ ...(outbound && { outbound }), inbound, gatewayPorts }, ""),
);

const stableExtensions = stableMaps<TypedExtensionConfig>();

function extensionsOf(ir: ProxyIr): ReadonlyMap<string, TypedExtensionConfig> {
  const key = [ir.outbound, ir.gatewayPorts].map((part) => (part === undefined ? 0 : numberOf(part))).join(" ");
  return extensionsByParts(ir.inbound, ir, key);
}

function wasmFilters({ outbound, inbound, gatewayPorts }: Chains): readonly WasmFilter[] {
  const chains: readonly HttpChain[] = [
    ...(outbound ? [{ direction: "outbound", filters: outbound.filters } as const] : []),
    ...inbound.map(({ filters }) => ({ direction: "inbound", filters }) as const),
    ...gatewayPorts.map(({ filters }) => ({ direction: "gateway", filters }) as const),
  ];
  return [...chains.flatMap(wasmFiltersOf), ...inbound.flatMap(({ tcpTelemetry }) => tcpTelemetry ?? [])];
}

/** By name, so that nothing depends on the order in which things were found. */
function sorted<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
