// consumes: a World and who the client is (namespace, labels)
// produces: the client's route table `80` and every upstream it may reach
// never does: look at addresses of the client's own proxy: replicas of one workload share the answer
import { compareText } from "../../model/object.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import type { Labels } from "../../model/labels.ts";
import type { World } from "../../store/world.ts";
import type { Route, RouteTable, VirtualHost } from "../ir/routes.ts";
import type { Upstream } from "../ir/upstream.ts";
import { createDestinations, type DestinationResolver } from "./destination.ts";
import { noHeaderChanges } from "./header-changes.ts";
import { DEFAULT_PORT, shortNames, withPort } from "./host-domains.ts";
import { resolveHttpRoutes } from "./http-route.ts";
import { labelsKey, memoByObject, memoByOwner } from "./memo.ts";
import { isHttp } from "./protocol.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { httpPortNumbers, visibleHosts } from "./registry.ts";
import { looksAtHeaders, matchAll, type RouteContext } from "./request-match.ts";
import { forwardAction } from "./route-action.ts";
import { type EgressScope, resolveEgressScope, scopeHasService, scopeHasVirtualService } from "./sidecar.ts";
import { serviceUpstreams } from "./upstream.ts";
import { hostsOf, virtualServiceForHost, type VirtualServiceObject, virtualServicesFor } from "./virtual-service.ts";

/** Istio's name of the route table for port 80: the one an explicit proxy needs, since the port asked for is in the request. */
export const OUTBOUND_TABLE = "80";

/** What one client may reach and how. */
export interface OutboundView {
  readonly table: RouteTable;
  readonly upstreams: readonly Upstream[];
  readonly unknownHosts: "forward" | "refuse";
}

/** All that a host's virtual hosts are made of. */
interface Client {
  readonly world: World;
  readonly namespace: string;
  readonly labels: Labels;
  readonly scope: EgressScope;
  readonly services: readonly MeshService[];
  readonly rules: readonly VirtualServiceObject[];
  readonly destinations: DestinationResolver;
}

/** Labels that a Sidecar or a rule of the mesh chooses clients by; all others make no difference to what a client may reach. */
const decisiveLabels = memoByObject((world: World): ReadonlySet<string> => {
  const matches = world.list("VirtualService").flatMap(({ spec }) => (spec.http ?? []).flatMap((route) => route.match ?? []));
  const selectors = [...world.list("Sidecar").map(({ spec }) => spec.workloadSelector?.labels), ...matches.map(({ sourceLabels }) => sourceLabels)];
  return new Set(selectors.flatMap((labels) => Object.keys(labels ?? {})));
});

/** Returns the view of clients with these labels in this namespace: the same object for all whose labels differ in nothing that matters. */
export function resolveOutbound(world: World, namespace: string, labels: Labels): OutboundView {
  const decisive = decisiveLabels(world);
  return outboundView(world, namespace, Object.fromEntries(Object.entries(labels).filter(([name]) => decisive.has(name))));
}

const outboundView = memoByOwner(
  (namespace: string, labels: Labels) => `${namespace} ${labelsKey(labels)}`,
  (world: World, namespace: string, labels: Labels): OutboundView => {
    const scope = resolveEgressScope(world, { namespace, labels });
    const services = [...visibleHosts(world, namespace).values()].filter((service) => scopeHasService(scope, service.ref.namespace, service.host));
    const rules = virtualServicesFor(world, namespace, "mesh").filter((rule) => scopeHasVirtualService(scope, rule.metadata.namespace, hostsOf(rule)));
    const client: Client = { world, namespace, labels, scope, services, rules, destinations: createDestinations(world, namespace) };
    const hosts = dropTakenDomains([...services.flatMap((service) => serviceHosts(client, service)), ...ruleHosts(client)]);
    const upstreams = new Set([...services.flatMap((service) => serviceUpstreams(service, world, namespace)), ...client.destinations.used]);
    return {
      table: { name: OUTBOUND_TABLE, virtualHosts: hosts, ignorePort: false },
      upstreams: [...upstreams],
      unknownHosts: scope.unknownHosts,
    };
  },
);

/** Returns how the routes of a host are decided: by the router filter if one of them looks at headers, unless the mesh wants native matching. */
export function decisionOf(world: World, routes: readonly Route[]): VirtualHost["decidedBy"] {
  return world.mesh.engine === "wasm" && routes.some((route) => looksAtHeaders(route.match)) ? "filter" : "native";
}

function serviceHosts(client: Client, service: MeshService): readonly VirtualHost[] {
  return service.ports.map((port) => (isHttp(port.protocol) ? httpHost(client, service, port) : opaqueHost(client, service, port)));
}

function httpHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const rule = virtualServiceForHost(client.rules, service.host);
  const ruled = rule ? resolveHttpRoutes(rule, contextOf(client, port.number), client.destinations) : [];
  // A rule none of whose routes is for this client leaves the service as it is without a rule.
  const routes = ruled.length > 0 ? ruled : [defaultRoute(client, service, port)];
  const ports = isOnlyHttpPort(service, port) ? [port.number, DEFAULT_PORT] : [port.number];
  return virtualHost(client, service.host, ports, service.addresses, routes, { kind: "http", opaque: client.destinations.ofPort(service, port.number).id });
}

/** A client that names no port of a Service, or 80, which is the same, can only mean its one port of HTTP where there is no port 80. */
function isOnlyHttpPort(service: MeshService, port: MeshPort): boolean {
  return service.declaredBy === "Service" && port.number !== DEFAULT_PORT
    && service.ports.every(({ number, protocol }) => number === port.number || (number !== DEFAULT_PORT && !isHttp(protocol)));
}

/** What is not HTTP goes through a tunnel; a client that asks by HTTP nevertheless is passed on as it is. */
function opaqueHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const { id } = client.destinations.ofPort(service, port.number);
  return virtualHost(client, service.host, [port.number], service.addresses, [defaultRoute(client, service, port)], { kind: "tunnel", upstream: id });
}

/** Hosts of rules that are no service get the rule's routes on every port on which somebody speaks HTTP. */
function ruleHosts(client: Client): readonly VirtualHost[] {
  const known = client.services.map((service) => service.host);
  const hosts = new Set(client.rules.flatMap(hostsOf).filter((host) => !isCovered(host, known)));
  return [...hosts].sort(compareText).flatMap((host) => httpPortNumbers(client.services).flatMap((port) => {
    const rule = virtualServiceForHost(client.rules, host);
    const routes = rule ? resolveHttpRoutes(rule, contextOf(client, port), client.destinations) : [];
    return routes.length === 0 ? [] : [virtualHost(client, host, [port], [], routes, { kind: "http" })];
  }));
}

/** A wildcard that covers services means those services, not every name it could stand for. */
function isCovered(host: string, known: readonly string[]): boolean {
  return known.some((service) => service === host || (isWildcardHost(host) && service.endsWith(host.slice(1))));
}

function contextOf(client: Client, port: number): RouteContext {
  return { namespace: client.namespace, labels: client.labels, gateway: "mesh", port };
}

function defaultRoute(client: Client, service: MeshService, port: MeshPort): Route {
  const action = forwardAction(client.destinations.ofPort(service, port.number));
  return { name: "default", key: "default", match: matchAll, action, requestHeaders: noHeaderChanges, responseHeaders: noHeaderChanges };
}

/** `ports`: its own, and by which others it may be asked for. */
function virtualHost(client: Client, host: string, ports: readonly number[], addresses: readonly string[], routes: readonly Route[], connect: VirtualHost["connect"]): VirtualHost {
  const spellings = [host, ...shortNames(host, client.namespace), ...addresses];
  return {
    name: `${host}:${ports[0]}`,
    domains: ports.flatMap((port) => spellings.flatMap((spelling) => withPort(spelling, port))),
    routes,
    decidedBy: decisionOf(client.world, routes),
    requireTls: false,
    connect,
  };
}

/**
 * Returns the hosts by name, each domain in one of them only: Envoy refuses a whole table for one domain that stands twice. A full
 * name goes to the host that has it; of shorter spellings and addresses the first host by name gets it.
 */
function dropTakenDomains(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const sorted = [...hosts].sort((a, b) => compareText(a.name, b.name)).filter((host, index, all) => host.name !== all[index - 1]?.name);
  const taken = new Map<string, string>();
  const fullNames = (host: VirtualHost) => host.domains.filter((domain) => domain === host.name || `${domain}:80` === host.name);
  for (const host of sorted) for (const domain of fullNames(host)) taken.set(domain, host.name);
  for (const host of sorted) for (const domain of host.domains) if (!taken.has(domain)) taken.set(domain, host.name);
  return sorted.map((host) => ({ ...host, domains: host.domains.filter((domain) => taken.get(domain) === host.name) }));
}
