// consumes: a World and the filter modules at hand, a proxy and its class
// produces: the IR of the class and of what is the proxy's own, and from them the Envoy messages
// never does: I/O; know which proxies are connected or what they were sent before
//
// Each piece says in one word how it is kept, and so what it costs (see the files of that name in world/):
//   derived    while what it read of the World comes out the same
//   memoized   as long as the parts that it is made from
//   interned   as long as somebody holds equal content
import { isDeepStrictEqual } from "node:util";
import { derived, keepOnlyAnswersOf, sameFields } from "../world/derive.ts";
import { internedLists } from "../world/interned.ts";
import { layered } from "../world/layered-map.ts";
import { memoized } from "../world/memo.ts";
import { classClusters, endpointsOf, ownClusters } from "./emit/clusters.ts";
import { extensionConfigsOf } from "./emit/extension-configs.ts";
import { listenersOf } from "./emit/listeners.ts";
import type { EmittedResources } from "./emit/resources.ts";
import { routesOf, virtualHostsOf } from "./emit/routes.ts";
import type { CapturedOutbound } from "./ir/captured.ts";
import type { ClassIr, OutboundProxy, ProxyIr } from "./ir/proxy.ts";
import { keyOf, type MeshProxy, type ProxyClass } from "./ir/proxy-class.ts";
import type { RouteTable } from "./ir/routes.ts";
import { type Upstream, upstreamText } from "./ir/upstream.ts";
import { resolveAccessLog } from "./resolve/access-log.ts";
import { type CapturedTraits, resolveCaptured, resolveCapturedTraits } from "./resolve/captured.ts";
import { resolveConnectionNotes } from "./resolve/captured-ways.ts";
import { resolveIngressNotes } from "./resolve/sidecar-ingress.ts";
import { type Engine, engineOf, withEngine } from "./resolve/engine.ts";
import { resolveGateway } from "./resolve/gateway.ts";
import { resolveGuardNotes } from "./resolve/guards.ts";
import { resolveHttpFilters } from "./resolve/http-filters.ts";
import { resolveCapturedInbound, resolveInbound } from "./resolve/inbound.ts";
import { differsByProxy, type Inputs } from "./resolve/modules.ts";
import { OUTBOUND_TABLE, resolveOutbound, resolveOutboundTraits } from "./resolve/outbound.ts";
import { rateLimitUpstreams } from "./resolve/rate-limit.ts";
import { resolveRequestForm } from "./resolve/request-form.ts";
import { resolveTcpTelemetry } from "./resolve/telemetry.ts";
import { trustDomainsOf } from "./resolve/trust-domains.ts";
import { portsOfPlugins, resolveNetworkPluginNotes, resolveNetworkPlugins } from "./resolve/wasm-plugin.ts";
import { withoutIdentity } from "./resolve/without-identity.ts";
import { selectPolicies } from "./resolve/workload-selector.ts";

/**
 * Returns all that a proxy needs. What its class needs is the same object for all of the class, and what does not
 * differ from an earlier answer is that one, for other classes too.
 */
export function resolveProxy(inputs: Inputs, proxy: MeshProxy): ProxyIr {
  return { shared: resolveClass(inputs, classAtPresent(inputs, proxy)), own: proxy };
}

/** Returns the Envoy messages of an IR, every kind by resource name; the same maps for the same parts. */
export function emitProxy(ir: ProxyIr): EmittedResources {
  const { clusters, ...shared } = emitClass(ir.shared);
  return {
    ...shared,
    clusters: layered(clusters, ownClusters(ir.shared.inbound, ir.shared.capturedInbound, ir.own)),
    listeners: listenersOf(ir),
  };
}

const emitClass = memoized(
  (ir: ClassIr): Omit<EmittedResources, "listeners"> => ({
    clusters: classClusters(ir),
    endpoints: endpointsOf(ir.upstreams),
    routes: routesOf(ir),
    virtualHosts: virtualHostsOf(ir),
    extensionConfigs: extensionConfigsOf(ir),
  }),
);

/** Lets go of what was kept for other states, now that this one is what proxies are served. */
export function keepOnlyWhatIsServed(inputs: Inputs): void {
  keepOnlyAnswersOf(inputs);
}

/** While a version of one of its plugins goes from proxy to proxy, each proxy is a class of its own. */
function classAtPresent(inputs: Inputs, proxy: MeshProxy): ProxyClass {
  return differsWithin(inputs, proxy.class) ? aloneIn(proxy.class, proxy.address) : proxy.class;
}
const aloneIn = memoized((shared: ProxyClass, address: string): ProxyClass => ({ ...shared, only: address }));

const byContent = { keyOf, same: isDeepStrictEqual };
const NOTHING: readonly never[] = [];

const differsWithin = derived(
  (inputs: Inputs, proxies: ProxyClass): boolean =>
    selectPolicies(inputs.world, "WasmPlugin", proxies).some(({ metadata }) =>
      differsByProxy(inputs, metadata.namespace, metadata.name),
    ),
  { keyOf },
);

const resolveClass = derived(
  (inputs: Inputs, proxies: ProxyClass): ClassIr => {
    const { mesh } = inputs.world;
    const accessLog = resolveAccessLog(inputs.world, proxies.namespace, proxies.labels);
    const ir: ClassIr = {
      ...(accessLog && { accessLog }),
      trustDomains: trustDomainsOf(mesh).join(","),
      requestForm: resolveRequestForm(mesh),
      detectionTimeoutMs: mesh.protocolDetectionTimeoutMs,
      ...(proxies.kind === "router" ? routerIr(inputs, proxies) : sidecarIr(inputs, proxies)),
    };
    return proxies.identity === "none" ? withoutIdentity(ir) : ir;
  },
  { keyOf },
);

type PartOfIr = Omit<ClassIr, "accessLog" | "trustDomains" | "requestForm" | "detectionTimeoutMs">;

function routerIr(inputs: Inputs, proxies: ProxyClass): PartOfIr {
  const { tables, upstreams, notes } = gatewayOf(inputs, proxies);
  return {
    upstreams: withRateLimits(inputs, proxies, upstreams),
    routeTables: tables,
    inbound: NOTHING,
    gatewayPorts: gatewayPortsOf(inputs, proxies),
    notes: [...notes, ...guardNotesOf(inputs.world, proxies)],
  };
}

function sidecarIr(inputs: Inputs, proxies: ProxyClass): PartOfIr {
  const serving = {
    inbound: inboundOf(inputs, proxies),
    capturedInbound: capturedInboundOf(inputs, proxies),
    gatewayPorts: NOTHING,
    notes: [...guardNotesOf(inputs.world, proxies), ...ingressNotesOf(inputs, proxies)],
  };
  if (!proxies.goesOut)
    return { ...serving, upstreams: withRateLimits(inputs, proxies, NOTHING), routeTables: NOTHING };
  if (proxies.capture !== undefined) {
    const notes = [...serving.notes, ...capturedTraitsOf(inputs, proxies).notes];
    return { ...serving, notes, ...capturedIr(inputs, proxies) };
  }
  const { table, upstreams } = resolveOutbound(inputs.world, proxies.namespace, proxies.labels);
  return {
    ...serving,
    upstreams: withRateLimits(inputs, proxies, upstreams),
    routeTables: [withEngine(table, engineOf(inputs.world, proxies))],
    notes: [
      ...serving.notes,
      ...resolveConnectionNotes(inputs.world, proxies.namespace, proxies.labels),
      ...networkPluginNotesOf(inputs, proxies),
    ],
    outbound: outboundOf(inputs, proxies),
  };
}

function capturedIr(
  inputs: Inputs,
  proxies: ProxyClass,
): Pick<PartOfIr, "upstreams" | "routeTables" | "capturedOutbound"> {
  const { tables, upstreams } = resolveCaptured(inputs.world, proxies.namespace, proxies.labels);
  return {
    upstreams: withRateLimits(inputs, proxies, upstreams),
    routeTables: tablesWithEngine(tables, engineOf(inputs.world, proxies)),
    capturedOutbound: capturedOutboundOf(inputs, proxies),
  };
}

const tablesWithEngine = memoized((tables: readonly RouteTable[], engine: Engine) =>
  tables.map((table) => withEngine(table, engine)),
);

const gatewayOf = derived(resolveGateway, { keyOf });
const gatewayPortsOf = derived((inputs: Inputs, proxies: ProxyClass) => gatewayOf(inputs, proxies).ports, byContent);
const inboundOf = derived(resolveInbound, byContent);
const capturedInboundOf = derived(resolveCapturedInbound, byContent);
const networkPluginNotesOf = derived(resolveNetworkPluginNotes, byContent);
const ingressNotesOf = derived(resolveIngressNotes, byContent);
const guardNotesOf = derived(resolveGuardNotes, byContent);

const outboundOf = derived((inputs: Inputs, proxies: ProxyClass): OutboundProxy => {
  const { world } = inputs;
  const { needsRouter, unknownHosts, egressProxy } = resolveOutboundTraits(
    world,
    proxies.namespace,
    proxies.labels,
    engineOf(world, proxies),
  );
  const filters = resolveHttpFilters(inputs, proxies, "outbound", needsRouter);
  return { routeTable: OUTBOUND_TABLE, filters, unknownHosts, ...(egressProxy && { egressProxy }) };
}, byContent);

const capturedOutboundOf = derived(
  (inputs: Inputs, proxies: ProxyClass): CapturedOutbound => {
    const { ports, names, unknownHosts, egressProxy } = capturedTraitsOf(inputs, proxies);
    return { ports, names, unknownHosts, ...(egressProxy && { egressProxy }), ...capturedFiltersOf(inputs, proxies) };
  },
  { keyOf, same: sameFields },
);

/** Apart from the ports, which come and go: what is made of the two is made anew for a changed port only. */
const capturedFiltersOf = derived(
  (inputs: Inputs, proxies: ProxyClass): Pick<CapturedOutbound, "filters" | "tcpTelemetry"> => {
    const { needsRouter } = capturedTraitsOf(inputs, proxies);
    return {
      filters: [...portsOfPlugins(inputs, proxies), undefined].map((port) => ({
        port,
        http: resolveHttpFilters(inputs, proxies, "outbound", needsRouter, port),
        networkPlugins: resolveNetworkPlugins(inputs, proxies, { direction: "outbound", port }),
      })),
      tcpTelemetry: resolveTcpTelemetry(inputs, proxies, "outbound"),
    };
  },
  byContent,
);

function capturedTraitsOf({ world }: Inputs, proxies: ProxyClass): CapturedTraits {
  return resolveCapturedTraits(world, proxies.namespace, proxies.labels, engineOf(world, proxies));
}

/**
 * What the proxies' routes lead to, and the rate limit services that their filters ask; the same list where that adds
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

/** Each once: filters ask a service as its port says, also where a gateway's routes would not. */
const joined = memoized((upstreams: readonly Upstream[], services: readonly Upstream[]) => [
  ...new Map([...upstreams, ...services].map((upstream) => [upstreamText(upstream.id), upstream])).values(),
]);
const oneList = internedLists<Upstream>();
