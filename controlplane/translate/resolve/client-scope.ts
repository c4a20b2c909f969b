// What of the mesh one client may see: the services and rules that are exported to it and that its Sidecar lets
// through. Clients with equal decisive labels in one namespace share all answers.
import { isDeepStrictEqual } from "node:util";
import { hostMatches, isWildcardHost } from "../../model/hosts.ts";
import type { ConnectionMatchSpec } from "../../model/kinds/virtual-service.ts";
import type { Labels } from "../../model/labels.ts";
import { compareText } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";
import type { Upstream } from "../ir/upstream.ts";
import { labelsAmong, labelsInRules } from "./client-labels.ts";
import { createDestinations } from "./destination.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { visibleHost, visibleHosts } from "./registry.ts";
import { type EgressScope, listenersOfPort, resolveEgressScope, scopeHasVirtualService } from "./sidecar.ts";
import {
  connectionServicesFor,
  hostsOf,
  virtualServiceForHost,
  type VirtualServiceObject,
  virtualServicesFor,
} from "./virtual-service.ts";

/** Answers for one client, told apart by its namespace and its decisive labels; and for one host as it sees it. */
export const byClient = { keyOf: (namespace: string, labels: Labels) => `${namespace} ${labelsKey(labels)}` };
export const byHost = {
  keyOf: (namespace: string, labels: Labels, host: string) => `${namespace} ${labelsKey(labels)} ${host}`,
};

/**
 * Returns those of a client's labels by which a Sidecar or a rule of the mesh chooses clients, or which say where it
 * runs where that counts; all others make no difference to what it may reach, and how.
 */
export function decisiveLabelsOf(world: World, labels: Labels): Labels {
  return labelsAmong(decisiveLabels(world), labels);
}

const decisiveLabels = derived(
  (world: World): readonly string[] => {
    const names = [
      ...world.list("VirtualService").flatMap(labelsInMatches),
      ...labelsInRules(world),
      ...world.list("Sidecar").flatMap(({ spec }) => Object.keys(spec.workloadSelector?.labels ?? {})),
    ];
    return [...new Set(names)].sort(compareText);
  },
  { same: sameItems },
);

const labelsInMatches = memoized(({ spec }: VirtualServiceObject): readonly string[] =>
  [spec.http, spec.tcp, spec.tls]
    .flatMap((routes) => (routes ?? []).flatMap(({ match }): readonly ConnectionMatchSpec[] => match ?? []))
    .flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {})),
);

/** Returns what the Sidecar that applies to the client leaves of the mesh. */
export const egressScope = derived(
  (world: World, namespace: string, labels: Labels): EgressScope => resolveEgressScope(world, { namespace, labels }),
  { ...byClient, same: isDeepStrictEqual },
);

/** Returns where what is for unknown hosts goes instead; undefined: nowhere else. */
export const egressProxyOf = derived((world: World, namespace: string, labels: Labels): Upstream | undefined => {
  const { egressProxy } = egressScope(world, namespace, labels);
  if (egressProxy === undefined) return undefined;
  const { destination, owner } = egressProxy;
  return createDestinations(world, namespace, labels).find(destination, owner, destination.port?.number ?? 0);
}, byClient);

const servicesInScope = derived(
  (world: World, namespace: string, labels: Labels): readonly MeshService[] => {
    const scope = egressScope(world, namespace, labels);
    return [...visibleHosts(world, namespace).values()].filter(
      (service) => isWhole(scope) || service.ports.some((port) => listenersOfPort(scope, service, port)?.length !== 0),
    );
  },
  { ...byClient, same: sameItems },
);

/** Whether the client sees all ports of all services. */
function isWhole({ listeners }: EgressScope): boolean {
  return listeners === undefined;
}

/** A service as one client sees it, and where its ports are found. */
export interface ServiceInScope {
  /** With those ports alone at which the client may ask for it. */
  readonly service: MeshService;
  /** Of these ports those that are found at its own addresses. */
  readonly ownPorts: readonly MeshPort[];
  /** Places of the proxy's own where ports are found. */
  readonly bound: readonly { readonly port: MeshPort; readonly bind: string; readonly isOpened: boolean }[];
}

/** Returns the service of a host in scope as the client's Sidecar leaves it. */
export const serviceInScope = derived(
  (world: World, namespace: string, labels: Labels, host: string): ServiceInScope | undefined => {
    const service = visibleHost(world, namespace, host);
    const scope = egressScope(world, namespace, labels);
    if (service === undefined || isWhole(scope)) return service && { service, ownPorts: service.ports, bound: [] };
    const found = service.ports.map((port) => ({ port, by: listenersOfPort(scope, service, port) ?? [] }));
    const ports = found.filter(({ by }) => by.length > 0).map(({ port }) => port);
    return {
      service: ports.length === service.ports.length ? service : { ...service, ports },
      ownPorts: found.filter(({ by }) => by.some(({ bind }) => bind === undefined)).map(({ port }) => port),
      bound: found.flatMap(({ port, by }) =>
        by.flatMap(({ bind, isOpened }) => (bind === undefined ? [] : [{ port, bind, isOpened }])),
      ),
    };
  },
  { ...byHost, same: isSameInScope },
);

/** That all of a service is in scope does not say where: it may be found at places of the proxy's own. */
function isSameInScope(a: ServiceInScope | undefined, b: ServiceInScope | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const isSameService =
    a.service === b.service ||
    isDeepStrictEqual([a.service.ports, { ...a.service, ports: [] }], [b.service.ports, { ...b.service, ports: [] }]);
  return isSameService && isDeepStrictEqual([a.ownPorts, a.bound], [b.ownPorts, b.bound]);
}

/** Returns the hosts of services in scope: they stay the same while only addresses come and go. */
export const serviceNames = derived(
  (world: World, namespace: string, labels: Labels): readonly string[] =>
    servicesInScope(world, namespace, labels).map(({ host }) => host),
  { ...byClient, same: sameItems },
);

const rulesInScope = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualServiceObject[] =>
    within(egressScope(world, namespace, labels), virtualServicesFor(world, namespace, "mesh")),
  { ...byClient, same: sameItems },
);

/** Returns the rule that decides where requests of the client for a host go; undefined where none does. */
export const ruleFor = derived(
  (world: World, namespace: string, labels: Labels, host: string): VirtualServiceObject | undefined =>
    virtualServiceForHost(rulesInScope(world, namespace, labels), host),
  byHost,
);

/** Returns the rules with routes of connections for a host, in the order in which they are looked up. */
export const connectionRulesFor = derived(
  (world: World, namespace: string, labels: Labels, host: string): readonly VirtualServiceObject[] =>
    connectionRules(world, namespace, labels).filter((rule) => hostsOf(rule).some((one) => hostMatches(one, host))),
  { ...byHost, same: sameItems },
);

/** Returns all of them. */
export const connectionRules = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualServiceObject[] =>
    within(egressScope(world, namespace, labels), connectionServicesFor(world, namespace, "mesh")),
  { ...byClient, same: sameItems },
);

function within(scope: EgressScope, rules: readonly VirtualServiceObject[]): readonly VirtualServiceObject[] {
  return rules.filter((rule) => scopeHasVirtualService(scope, rule.metadata.namespace, hostsOf(rule)));
}

/** Returns the hosts of rules in scope that are no service, sorted. */
export const ruledNames = derived(
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

/** A wildcard that covers services means those services, not every name it could stand for. */
function isCovered(host: string, known: readonly string[]): boolean {
  return isWildcardHost(host) && known.some((service) => service.endsWith(host.slice(1)));
}
