// Which DestinationRule speaks for a host, and which of its policies for a port and subset.
import { isWildcardHost, mostSpecificHost, resolveHost } from "../../model/hosts.ts";
import type { SubsetSpec, TrafficPolicySpec } from "../../model/kinds/destination-rule.ts";
import { type Labels, labelsMatch } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { objectsIn } from "../../world/label-index.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { isExported } from "./visibility.ts";

/** The rules for one host, merged. */
export interface MergedRule {
  /** `<namespace>/<name>` of the oldest of them. */
  readonly origin: string;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  /** Each name once: the oldest rule's. */
  readonly subsets: readonly SubsetSpec[];
}

const FIELDS = ["loadBalancer", "connectionPool", "outlierDetection", "tls", "proxyProtocol", "retryBudget"] as const;

/** What holds for one port and subset. */
export type PortPolicy = Pick<TrafficPolicySpec, (typeof FIELDS)[number]>;

/**
 * Returns the rule by which a client with these labels reaches a service's host, undefined if there is none: rules of
 * the client's namespace, else of the service's, else of the root namespace; in the first namespace that has any, those
 * of the most specific host count, merged. Of rules for some workloads only those of the client's own namespace count,
 * with what the rules for all say beside them.
 */
export function destinationRuleFor(
  world: World,
  client: string,
  labels: Labels,
  host: string,
  serviceNamespace: string,
): MergedRule | undefined {
  const rules = rulesOfHost(world, client, host, serviceNamespace);
  const own = rules.find(({ selector }) => selector !== undefined && labelsMatch(selector, labels));
  return (own ?? rules.find(({ selector }) => selector === undefined))?.merged;
}

/** Rules that speak for the same clients; `selector` undefined: for all of them. */
export interface RulesForClients {
  readonly selector: Labels | undefined;
  readonly rules: readonly MeshObject<"DestinationRule">[];
  readonly merged: MergedRule;
}

/** Returns the rules for a host in the namespace that is looked at, by which clients they are for, oldest first. */
export const rulesOfHost = derived(
  (world: World, client: string, host: string, serviceNamespace: string): readonly RulesForClients[] => {
    for (const namespace of new Set([client, serviceNamespace, world.mesh.rootNamespace])) {
      const rules = rulesFor(world, namespace, client, host);
      const groups = groupBySelector(namespace === client ? rules : rules.filter((rule) => !selectorOf(rule)));
      if (groups.length > 0) return groups;
    }
    return [];
  },
);

function selectorOf({ spec }: MeshObject<"DestinationRule">): Labels | undefined {
  return spec.workloadSelector && (spec.workloadSelector.matchLabels ?? {});
}

function groupBySelector(rules: readonly MeshObject<"DestinationRule">[]): readonly RulesForClients[] {
  const bySelector = new Map<string, MeshObject<"DestinationRule">[]>();
  for (const rule of rules) {
    const selector = selectorOf(rule);
    const key = selector === undefined ? "all" : `some ${labelsKey(selector)}`;
    bySelector.set(key, [...(bySelector.get(key) ?? []), rule]);
  }
  const general = rules.filter((rule) => selectorOf(rule) === undefined);
  return [...bySelector.values()].map((group) => {
    const selector = selectorOf(group[0]!);
    const all = selector === undefined ? group : [...group, ...general];
    return { selector, rules: all, merged: mergeRules(all) };
  });
}

/** The rules of a namespace that speak for a host: those of the most specific host that covers it, oldest first. */
const rulesFor = derived(
  (world: World, namespace: string, client: string, host: string): readonly MeshObject<"DestinationRule">[] => {
    const { byHost, wildcards } = exportedRules(world, namespace, client);
    const best = mostSpecificHost(host, byHost.has(host) ? [host] : wildcards);
    return (best === undefined ? undefined : byHost.get(best)) ?? [];
  },
  { same: sameItems },
);

/**
 * Returns the policy of a port, and of a subset when one is given. A port's settings replace the others wholesale, but
 * for what ports cannot have of their own; a subset's policy overrides field by field, and its own port settings again
 * replace everything.
 */
export function portPolicy(rule: MergedRule | undefined, port: number, subset?: SubsetSpec): PortPolicy {
  const whole = ofPort(rule?.trafficPolicy, port) ?? ownFields(rule?.trafficPolicy);
  if (subset?.trafficPolicy === undefined) return whole;
  const ofSubset = ofPort(subset.trafficPolicy, port);
  if (ofSubset === undefined) return { ...whole, ...ownFields(subset.trafficPolicy) };
  const { proxyProtocol, retryBudget } = whole;
  return { ...ownFields({ proxyProtocol, retryBudget }), ...ofSubset };
}

/** The rules of a namespace that its clients may see, by host, oldest first. */
const exportedRules = derived((world: World, namespace: string, client: string) => {
  const byHost = new Map<string, MeshObject<"DestinationRule">[]>();
  for (const rule of objectsIn(world, "DestinationRule", namespace)) {
    if (!isExported(rule.spec.exportTo, namespace, client)) continue;
    const host = hostOf(rule);
    const same = byHost.get(host);
    if (same === undefined) byHost.set(host, [rule]);
    else same.push(rule);
  }
  return { byHost, wildcards: [...byHost.keys()].filter(isWildcardHost) };
});

function hostOf(rule: MeshObject<"DestinationRule">): string {
  return resolveHost(rule.spec.host, rule.metadata.namespace);
}

function mergeRules(rules: readonly MeshObject<"DestinationRule">[]): MergedRule {
  const { namespace = "", name = "" } = rules[0]?.metadata ?? {};
  const subsets = new Map<string, SubsetSpec>();
  for (const subset of rules.flatMap((rule) => rule.spec.subsets ?? []))
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  return {
    origin: `${namespace}/${name}`,
    trafficPolicy: rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
  };
}

function ofPort(policy: TrafficPolicySpec | undefined, port: number): PortPolicy | undefined {
  const settings = policy?.portLevelSettings?.find((entry) => entry.port.number === port);
  return settings && ownFields(settings);
}

/** Only fields that are set: spreading them over others must not erase. */
function ownFields(policy: { readonly [F in (typeof FIELDS)[number]]?: PortPolicy[F] | undefined } = {}): PortPolicy {
  return Object.fromEntries(FIELDS.flatMap((field) => (policy[field] ? [[field, policy[field]]] : [])));
}
