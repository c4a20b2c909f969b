// Which DestinationRule speaks for a host, and which of its policies for a port and subset.
import { isWildcardHost, mostSpecificHost, resolveHost } from "../../model/hosts.ts";
import type { SubsetSpec, TrafficPolicySpec } from "../../model/kinds/destination-rule.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { objectsIn } from "../../world/label-index.ts";
import { isExported } from "./visibility.ts";

/** The rules for one host, merged. */
export interface MergedRule {
  /** `<namespace>/<name>` of the oldest of them. */
  readonly origin: string;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  /** Each name once: the oldest rule's. */
  readonly subsets: readonly SubsetSpec[];
}

/** What holds for one port and subset. */
export type PortPolicy = Pick<TrafficPolicySpec, "loadBalancer" | "connectionPool" | "outlierDetection" | "tls">;

/**
 * Returns the rule by which clients of a namespace reach a service's host, undefined if there is none: rules of the
 * client's namespace, else of the service's, else of the root namespace; in the first namespace that has any, those of
 * the most specific host count, merged.
 */
export const destinationRuleFor = derived(
  (world: World, client: string, host: string, serviceNamespace: string): MergedRule | undefined => {
    for (const namespace of new Set([client, serviceNamespace, world.mesh.rootNamespace])) {
      const rules = rulesFor(world, namespace, client, host);
      if (rules[0] !== undefined) return mergeRules(rules[0], rules);
    }
    return undefined;
  },
);

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
 * Returns the policy of a port, and of a subset when one is given. A port's settings replace the others wholesale; a
 * subset's policy overrides field by field, and its own port settings again replace everything.
 */
export function portPolicy(rule: MergedRule | undefined, port: number, subset?: SubsetSpec): PortPolicy {
  const whole = ofPort(rule?.trafficPolicy, port) ?? ownFields(rule?.trafficPolicy);
  if (subset?.trafficPolicy === undefined) return whole;
  return ofPort(subset.trafficPolicy, port) ?? { ...whole, ...ownFields(subset.trafficPolicy) };
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

function mergeRules(
  oldest: MeshObject<"DestinationRule">,
  rules: readonly MeshObject<"DestinationRule">[],
): MergedRule {
  const subsets = new Map<string, SubsetSpec>();
  for (const subset of rules.flatMap((rule) => rule.spec.subsets ?? []))
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  return {
    origin: `${oldest.metadata.namespace}/${oldest.metadata.name}`,
    trafficPolicy: rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
  };
}

function ofPort(policy: TrafficPolicySpec | undefined, port: number): PortPolicy | undefined {
  const settings = policy?.portLevelSettings?.find((entry) => entry.port.number === port);
  return settings && ownFields(settings);
}

/** Only fields that are set: spreading them over others must not erase. */
function ownFields(policy: PortPolicy | undefined): PortPolicy {
  return {
    ...(policy?.loadBalancer && { loadBalancer: policy.loadBalancer }),
    ...(policy?.connectionPool && { connectionPool: policy.connectionPool }),
    ...(policy?.outlierDetection && { outlierDetection: policy.outlierDetection }),
    ...(policy?.tls && { tls: policy.tls }),
  };
}
