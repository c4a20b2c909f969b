// consumes: a World and who the client is (namespace, labels)
// produces: the client's route table `80` and every upstream it may reach
// never does: look at addresses of the client's own proxy: replicas of one workload share the answer
import { isDeepStrictEqual } from "node:util";
import { compareText } from "../../model/object.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import type { Labels } from "../../model/labels.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { Route, RouteTable, VirtualHost } from "../ir/routes.ts";
import type { Upstream } from "../ir/upstream.ts";
import { createDestinations, type DestinationResolver } from "./destination.ts";
import { decisionOf } from "./engine.ts";
import { noHeaderChanges } from "./header-changes.ts";
import { DEFAULT_PORT, shortNames, withPort } from "./host-domains.ts";
import { resolveHttpRoutes } from "./http-route.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { memoized } from "../../world/memo.ts";
import { isHttp } from "./protocol.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { visibleHost, visibleHosts } from "./registry.ts";
import { matchAll, type RouteContext } from "./request-match.ts";
import { forwardAction } from "./route-action.ts";
import { type EgressScope, resolveEgressScope, scopeHasService, scopeHasVirtualService } from "./sidecar.ts";
import { serviceUpstreams } from "./upstream.ts";
import { hostsOf, virtualServiceForHost, type VirtualServiceObject, virtualServicesFor } from "./virtual-service.ts";

/**
 * Istio's name of the route table for port 80: the one an explicit proxy needs, since the port asked for is in the
 * request.
 */
export const OUTBOUND_TABLE = "80";

/** What one client may reach and how. */
export interface OutboundView {
  readonly table: RouteTable;
  readonly upstreams: readonly Upstream[];
  readonly unknownHosts: "forward" | "refuse";
}

/** Who asks: clients with equal decisive labels in one namespace share all answers. */
interface Client {
  readonly world: World;
  readonly namespace: string;
  readonly labels: Labels;
  readonly destinations: DestinationResolver;
}

/** What one host (or all hosts that are no service) adds to a client's view. */
interface HostRouting {
  readonly hosts: readonly VirtualHost[];
  /** Upstreams that its routes lead to. */
  readonly used: readonly Upstream[];
}

/**
 * Labels that a Sidecar or a rule of the mesh chooses clients by; all others make no difference to what a client may
 * reach.
 */
const decisiveLabels = derived(
  (world: World): readonly string[] => {
    const names = [
      ...world.list("VirtualService").flatMap(labelsInMatches),
      ...world.list("Sidecar").flatMap(({ spec }) => Object.keys(spec.workloadSelector?.labels ?? {})),
    ];
    return [...new Set(names)].sort(compareText);
  },
  { same: sameItems },
);

const labelsInMatches = memoized(({ spec }: VirtualServiceObject): readonly string[] =>
  (spec.http ?? [])
    .flatMap((route) => route.match ?? [])
    .flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {})),
);

/**
 * Returns the view of clients with these labels in this namespace: the same object for all whose labels differ in
 * nothing that matters.
 */
export function resolveOutbound(world: World, namespace: string, labels: Labels): OutboundView {
  const decisive = decisiveLabels(world).flatMap((name) =>
    Object.hasOwn(labels, name) ? [[name, labels[name] ?? ""]] : [],
  );
  return outboundView(world, namespace, Object.fromEntries(decisive) as Labels);
}

const byClient = { keyOf: (namespace: string, labels: Labels) => `${namespace} ${labelsKey(labels)}` };
const byHost = {
  keyOf: (namespace: string, labels: Labels, host: string) => `${namespace} ${labelsKey(labels)} ${host}`,
};

const outboundView = derived((world: World, namespace: string, labels: Labels): OutboundView => {
  const { unknownHosts } = egressScope(world, namespace, labels);
  return {
    table: routeTable(world, namespace, labels),
    upstreams: reachableUpstreams(world, namespace, labels),
    unknownHosts,
  };
}, byClient);

const routeTable = derived(
  (world: World, namespace: string, labels: Labels): RouteTable => ({
    name: OUTBOUND_TABLE,
    virtualHosts: allHosts(world, namespace, labels),
    ignorePort: false,
  }),
  byClient,
);

const allHosts = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualHost[] => {
    const ofServices = serviceNames(world, namespace, labels).flatMap((host) =>
      hostsOfService(world, namespace, labels, host),
    );
    return dropTakenDomains([...ofServices, ...otherHosts(world, namespace, labels)]);
  },
  { ...byClient, same: sameItems },
);

const reachableUpstreams = derived(
  (world: World, namespace: string, labels: Labels): readonly Upstream[] => {
    const names = serviceNames(world, namespace, labels);
    const upstreams = new Set(names.flatMap((host) => serviceUpstreams(world, namespace, host)));
    for (const host of names)
      for (const upstream of upstreamsUsedFor(world, namespace, labels, host)) upstreams.add(upstream);
    for (const upstream of otherRouting(world, namespace, labels).used) upstreams.add(upstream);
    return [...upstreams];
  },
  { ...byClient, same: sameItems },
);

const egressScope = derived(
  (world: World, namespace: string, labels: Labels): EgressScope => resolveEgressScope(world, { namespace, labels }),
  { ...byClient, same: isDeepStrictEqual },
);

const servicesInScope = derived(
  (world: World, namespace: string, labels: Labels): readonly MeshService[] => {
    const scope = egressScope(world, namespace, labels);
    return [...visibleHosts(world, namespace).values()].filter((service) =>
      scopeHasService(scope, service.ref.namespace, service.host),
    );
  },
  { ...byClient, same: sameItems },
);

/** The hosts of services in scope: they stay the same while only addresses come and go. */
const serviceNames = derived(
  (world: World, namespace: string, labels: Labels): readonly string[] =>
    servicesInScope(world, namespace, labels).map(({ host }) => host),
  { ...byClient, same: sameItems },
);

const rulesInScope = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualServiceObject[] => {
    const scope = egressScope(world, namespace, labels);
    return virtualServicesFor(world, namespace, "mesh").filter((rule) =>
      scopeHasVirtualService(scope, rule.metadata.namespace, hostsOf(rule)),
    );
  },
  { ...byClient, same: sameItems },
);

const ruleFor = derived(
  (world: World, namespace: string, labels: Labels, host: string): VirtualServiceObject | undefined =>
    virtualServiceForHost(rulesInScope(world, namespace, labels), host),
  byHost,
);

const serviceRouting = derived((world: World, namespace: string, labels: Labels, host: string): HostRouting => {
  const service = visibleHost(world, namespace, host);
  const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace) };
  const hosts = service === undefined ? [] : serviceHosts(client, service);
  return { hosts, used: [...client.destinations.used] };
}, byHost);

const hostsOfService = derived(
  (world: World, namespace: string, labels: Labels, host: string): readonly VirtualHost[] =>
    serviceRouting(world, namespace, labels, host).hosts,
  { ...byHost, same: isDeepStrictEqual },
);

const upstreamsUsedFor = derived(
  (world: World, namespace: string, labels: Labels, host: string): readonly Upstream[] =>
    serviceRouting(world, namespace, labels, host).used,
  { ...byHost, same: sameItems },
);

/** Hosts of rules that are no service get the rule's routes for requests to port 80; on others they are unknown. */
const otherRouting = derived((world: World, namespace: string, labels: Labels): HostRouting => {
  const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace) };
  const hosts = ruledNames(world, namespace, labels).flatMap((host) => ruledHost(client, host));
  return { hosts, used: [...client.destinations.used] };
}, byClient);

const otherHosts = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualHost[] =>
    otherRouting(world, namespace, labels).hosts,
  { ...byClient, same: isDeepStrictEqual },
);

const ruledNames = derived(
  (world: World, namespace: string, labels: Labels): readonly string[] => {
    const known = serviceNames(world, namespace, labels),
      exact = new Set(known);
    const hosts = new Set(
      rulesInScope(world, namespace, labels)
        .flatMap(hostsOf)
        .filter((host) => !exact.has(host) && !isCovered(host, known)),
    );
    return [...hosts].sort(compareText);
  },
  { ...byClient, same: sameItems },
);

function serviceHosts(client: Client, service: MeshService): readonly VirtualHost[] {
  return service.ports.map((port) =>
    isHttp(port.protocol) ? httpHost(client, service, port) : opaqueHost(client, service, port),
  );
}

function httpHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const rule = ruleFor(client.world, client.namespace, client.labels, service.host);
  const ruled = rule ? resolveHttpRoutes(rule, contextOf(client, port.number), client.destinations) : [];
  // A rule none of whose routes is for this client leaves the service as it is without a rule.
  const routes = ruled.length > 0 ? ruled : [defaultRoute(client, service, port)];
  const ports = isOnlyHttpPort(service, port) ? [port.number, DEFAULT_PORT] : [port.number];
  return virtualHost(client, service.host, ports, service.addresses, routes, {
    kind: port.protocol === "auto" ? "sniffed" : "http",
    opaque: client.destinations.ofPort(service, port.number).id,
  });
}

/**
 * A client that names no port of a Service, or 80, which is the same, can only mean its one port of HTTP where there is
 * no port 80.
 */
function isOnlyHttpPort(service: MeshService, port: MeshPort): boolean {
  return (
    service.declaredBy === "Service" &&
    port.number !== DEFAULT_PORT &&
    service.ports.every(
      ({ number, protocol }) => number === port.number || (number !== DEFAULT_PORT && !isHttp(protocol)),
    )
  );
}

/** What is not HTTP goes through a tunnel; a client that asks by HTTP nevertheless is passed on as it is. */
function opaqueHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const { id } = client.destinations.ofPort(service, port.number);
  return virtualHost(client, service.host, [port.number], service.addresses, [defaultRoute(client, service, port)], {
    kind: "tunnel",
    upstream: id,
  });
}

function ruledHost(client: Client, host: string): readonly VirtualHost[] {
  const rule = ruleFor(client.world, client.namespace, client.labels, host);
  const routes = rule ? resolveHttpRoutes(rule, contextOf(client, DEFAULT_PORT), client.destinations) : [];
  return routes.length === 0 ? [] : [virtualHost(client, host, [DEFAULT_PORT], [], routes, { kind: "http" })];
}

/** A wildcard that covers services means those services, not every name it could stand for. */
function isCovered(host: string, known: readonly string[]): boolean {
  return isWildcardHost(host) && known.some((service) => service.endsWith(host.slice(1)));
}

function contextOf(client: Client, port: number): RouteContext {
  return { namespace: client.namespace, labels: client.labels, gateway: "mesh", port };
}

function defaultRoute(client: Client, service: MeshService, port: MeshPort): Route {
  const action = forwardAction(client.destinations.ofPort(service, port.number));
  return {
    name: "default",
    key: "default",
    match: matchAll,
    action,
    requestHeaders: noHeaderChanges,
    responseHeaders: noHeaderChanges,
  };
}

/** `ports`: its own, and by which others it may be asked for. */
function virtualHost(
  client: Client,
  host: string,
  ports: readonly number[],
  addresses: readonly string[],
  routes: readonly Route[],
  connect: VirtualHost["connect"],
): VirtualHost {
  const spellings = [host, ...shortNames(host, client.namespace), ...addresses];
  return {
    name: `${host}:${ports[0]}`,
    domains: ports.flatMap((port) => spellings.flatMap((spelling) => withPort(spelling, port))),
    routes,
    decidedBy: decisionOf(client.world.mesh.engine, routes),
    requireTls: false,
    connect,
  };
}

/**
 * Returns the hosts by name, each domain in one of them only: Envoy refuses a whole table for one domain that stands
 * twice. A full name goes to the host that has it; of shorter spellings and addresses the first host by name gets it.
 */
function dropTakenDomains(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const sorted = [...hosts]
    .sort((a, b) => compareText(a.name, b.name))
    .filter((host, index, all) => host.name !== all[index - 1]?.name);
  const taken = new Map<string, string>();
  const fullNames = (host: VirtualHost) =>
    host.domains.filter((domain) => domain === host.name || `${domain}:80` === host.name);
  for (const host of sorted) for (const domain of fullNames(host)) taken.set(domain, host.name);
  for (const host of sorted) for (const domain of host.domains) if (!taken.has(domain)) taken.set(domain, host.name);
  return sorted.map((host) =>
    host.domains.every((domain) => taken.get(domain) === host.name)
      ? host
      : withDomains(
          host,
          host.domains.filter((domain) => taken.get(domain) === host.name),
        ),
  );
}

/** The same object for the same host and domains. */
function withDomains(host: VirtualHost, domains: readonly string[]): VirtualHost {
  return trimmed(host, domains.join(" "));
}

const trimmed = memoized(
  (host: VirtualHost, domains: string): VirtualHost => ({
    ...host,
    domains: domains === "" ? [] : domains.split(" "),
  }),
);
