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
import { labelsAmong, labelsInRules } from "./client-labels.ts";
import type { MeshService } from "./mesh-service.ts";
import { visibleHosts } from "./registry.ts";
import { type EgressScope, resolveEgressScope, scopeHasService, scopeHasVirtualService } from "./sidecar.ts";
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

const servicesInScope = derived(
  (world: World, namespace: string, labels: Labels): readonly MeshService[] => {
    const scope = egressScope(world, namespace, labels);
    return [...visibleHosts(world, namespace).values()].filter((service) =>
      scopeHasService(scope, service.ref.namespace, service.host),
    );
  },
  { ...byClient, same: sameItems },
);

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
