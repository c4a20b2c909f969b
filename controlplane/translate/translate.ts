// consumes: a World and the filter modules at hand, a class of proxies
// produces: the IR of that class, and from it the Envoy messages
// never does: I/O; know which proxies are connected or what they were sent before
//
// Each piece says in one word how it is kept, and so what it costs (see the files of that name in world/):
//   derived    while what it read of the World comes out the same
//   memoized   as long as the parts that it is made from
//   interned   as long as somebody holds equal content
import { isDeepStrictEqual } from "node:util";
import { derived, keepOnlyAnswersOf } from "../world/derive.ts";
import { internedLists } from "../world/interned.ts";
import { memoized } from "../world/memo.ts";
import { clustersOf, endpointsOf } from "./emit/clusters.ts";
import { extensionConfigsOf } from "./emit/extension-configs.ts";
import { listenersOf } from "./emit/listeners.ts";
import type { EmittedResources } from "./emit/resources.ts";
import { routesOf, virtualHostsOf } from "./emit/routes.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import type { OutboundProxy, ProxyIr } from "./ir/proxy.ts";
import { classKeyOf, type ProxyClass } from "./ir/proxy-class.ts";
import type { RouteTable } from "./ir/routes.ts";
import type { Upstream } from "./ir/upstream.ts";
import { resolveAccessLog } from "./resolve/access-log.ts";
import { engineOf, withEngine } from "./resolve/engine.ts";
import { resolveGateway } from "./resolve/gateway.ts";
import { resolveGuardNotes } from "./resolve/guards.ts";
import { resolveHttpFilters } from "./resolve/http-filters.ts";
import { resolveInbound } from "./resolve/inbound.ts";
import type { Inputs } from "./resolve/modules.ts";
import { OUTBOUND_TABLE, resolveOutbound } from "./resolve/outbound.ts";
import { rateLimitUpstreams } from "./resolve/rate-limit.ts";
import { withoutIdentity } from "./resolve/without-identity.ts";

/**
 * Returns all that a class of proxies needs. What does not differ from an earlier answer is the same object, for this
 * class and for others.
 */
export function resolveProxy(inputs: Inputs, proxy: ProxyClass): ProxyIr {
  const ir = proxyIr(inputs, proxy);
  return proxy.identity === "none" ? withoutIdentity(ir) : ir;
}

/** Returns the Envoy messages of an IR, every kind by resource name; the same maps for the same parts. */
export const emitProxy = memoized(
  (ir: ProxyIr): EmittedResources => ({
    clusters: clustersOf(ir),
    endpoints: endpointsOf(ir.upstreams),
    listeners: listenersOf(ir),
    routes: routesOf(ir),
    virtualHosts: virtualHostsOf(ir),
    extensionConfigs: extensionConfigsOf(ir),
  }),
);

/** Lets go of what was kept for other states, now that this one is what proxies are served. */
export function keepOnlyWhatIsServed(inputs: Inputs): void {
  keepOnlyAnswersOf(inputs);
}

const byClass = { keyOf: (proxy: ProxyClass) => classKeyOf(proxy) };
const byClassAndContent = { ...byClass, same: isDeepStrictEqual };
const NOTHING: readonly never[] = [];

const proxyIr = derived((inputs: Inputs, proxy: ProxyClass): ProxyIr => {
  const accessLog = resolveAccessLog(inputs.world, proxy.namespace, proxy.labels);
  const common = { ...(accessLog && { accessLog }), trustDomain: inputs.world.mesh.trustDomain };
  return { ...common, ...(proxy.kind === "router" ? routerIr(inputs, proxy) : sidecarIr(inputs, proxy)) };
}, byClass);

type OwnIr = Omit<ProxyIr, "accessLog" | "trustDomain">;

function routerIr(inputs: Inputs, proxy: ProxyClass): OwnIr {
  const { ports, tables, upstreams, notes } = gatewayOf(inputs, proxy);
  return {
    upstreams: withRateLimits(inputs, proxy, upstreams),
    routeTables: tables,
    inbound: NOTHING,
    gatewayPorts: ports,
    notes: [...notes, ...guardNotesOf(inputs, proxy)],
  };
}

function sidecarIr(inputs: Inputs, proxy: ProxyClass): OwnIr {
  const serving = {
    inbound: inboundOf(inputs, proxy),
    gatewayPorts: NOTHING,
    notes: guardNotesOf(inputs, proxy),
  };
  if (proxy.outbound === undefined)
    return { ...serving, upstreams: withRateLimits(inputs, proxy, NOTHING), routeTables: NOTHING };
  const { table, upstreams } = resolveOutbound(inputs.world, proxy.namespace, proxy.labels);
  return {
    ...serving,
    upstreams: withRateLimits(inputs, proxy, upstreams),
    routeTables: [withEngine(table, engineOf(inputs.world, proxy))],
    outbound: outboundOf(inputs, proxy, proxy.outbound),
  };
}

const gatewayOf = derived(resolveGateway, byClass);
const inboundOf = derived(resolveInbound, byClassAndContent);
const guardNotesOf = derived(
  (inputs: Inputs, proxy: ProxyClass) => resolveGuardNotes(inputs.world, proxy),
  byClassAndContent,
);

const outboundOf = derived((inputs: Inputs, proxy: ProxyClass, bind: SocketAddress): OutboundProxy => {
  const { isRouterNeeded, unknownHosts } = outboundTraits(inputs, proxy);
  const filters = resolveHttpFilters(inputs, proxy, "outbound", isRouterNeeded);
  return { bind, routeTable: OUTBOUND_TABLE, filters, unknownHosts };
}, byClassAndContent);

/** All of a client's routes that its listeners are made from. */
const outboundTraits = derived(({ world }: Inputs, proxy: ProxyClass) => {
  const { table, unknownHosts } = resolveOutbound(world, proxy.namespace, proxy.labels);
  return { isRouterNeeded: needsRouter(withEngine(table, engineOf(world, proxy))), unknownHosts };
}, byClassAndContent);

const needsRouter = memoized((table: RouteTable) => table.virtualHosts.some((host) => host.decidedBy === "filter"));

/**
 * What the proxy's routes lead to, and the rate limit services that its filters ask; the same list where that adds
 * nothing.
 */
function withRateLimits(
  { world }: Inputs,
  { namespace, labels, workload }: ProxyClass,
  upstreams: readonly Upstream[],
): readonly Upstream[] {
  const services = rateLimitUpstreams(world, namespace, labels, workload);
  return services.every((service) => upstreams.includes(service)) ? upstreams : joined(upstreams, oneList(services));
}

const joined = memoized((upstreams: readonly Upstream[], services: readonly Upstream[]) => [
  ...new Set([...upstreams, ...services]),
]);
const oneList = internedLists<Upstream>();
