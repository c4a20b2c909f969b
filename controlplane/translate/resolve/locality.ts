// consumes: the addresses behind a port, where a client runs, what rules say of localities
// produces: which addresses the client asks first, and what share each locality gets
// never does: fail over where nobody finds out that an address is bad: that takes outlier detection, as in Istio
import type { LocalitySettingSpec, TrafficPolicySpec, ZoneSettingSpec } from "../../model/kinds/destination-rule.ts";
import { type Labels, TOPOLOGY_LABELS } from "../../model/labels.ts";
import { localityOf, partsOf } from "../../pods/locality.ts";
import type { MeshConfig } from "../../world/world.ts";
import type { Endpoint, Endpoints, Upstream } from "../ir/upstream.ts";
import type { Backend } from "./mesh-service.ts";

/** What one port's requests follow. */
export type LocalityPolicy =
  | { readonly kind: "none" }
  | { readonly kind: "distribute"; readonly setting: LocalitySettingSpec }
  | { readonly kind: "failover"; readonly setting: LocalitySettingSpec }
  | { readonly kind: "zones"; readonly setting: ZoneSettingSpec };

/** Istio's network label: it counts before all others, and does not end the comparison. */
const NETWORK_LABEL = "topology.istio.io/network";

/** What of a policy localities depend on. */
type Balancing = Pick<TrafficPolicySpec, "loadBalancer" | "outlierDetection">;

/**
 * Returns what a port's policy says of localities, else what the mesh says. With outlier detection requests fail over
 * from locality to locality unless somebody turns that off.
 * https://istio.io/latest/docs/reference/config/networking/destination-rule/#LocalityLoadBalancerSetting
 */
export function resolveLocalityPolicy(
  mesh: Pick<MeshConfig, "localityLbSetting" | "zoneAwareLbSetting">,
  { loadBalancer, outlierDetection }: Balancing,
): LocalityPolicy {
  const own = loadBalancer?.localityLbSetting;
  const zones = loadBalancer?.zoneAwareLbSetting ?? (own === undefined ? mesh.zoneAwareLbSetting : undefined);
  if (zones !== undefined) return { kind: "zones", setting: zones };
  const setting = own ?? mesh.localityLbSetting ?? {};
  if (setting.enabled === false) return { kind: "none" };
  if ((setting.distribute ?? []).length > 0) return { kind: "distribute", setting };
  return outlierDetection === undefined ? { kind: "none" } : { kind: "failover", setting };
}

/** Returns the names of a client's labels that make a difference to it. */
export function labelsThatMatter(
  mesh: Pick<MeshConfig, "localityLbSetting" | "zoneAwareLbSetting">,
  balancing: Balancing,
): readonly string[] {
  const policy = resolveLocalityPolicy(mesh, balancing);
  if (policy.kind === "none") return [];
  const named = (policy.setting.failoverPriority ?? []).map((label) => label.split("=", 1)[0] ?? "");
  return [...TOPOLOGY_LABELS, ...named];
}

/** Returns how a cluster chooses among localities; nothing where it does not look at them. */
export function spreadOf(policy: LocalityPolicy): Pick<Upstream, "spread"> {
  switch (policy.kind) {
    case "none":
      return {};
    case "distribute":
      return { spread: { kind: "weights" } };
    case "failover": {
      const { failover, failoverPriority } = policy.setting;
      return failover === undefined && failoverPriority === undefined ? {} : { spread: { kind: "weights" } };
    }
    case "zones": {
      const { enabled = true, minClusterSize } = policy.setting;
      return { spread: { kind: "zones", enabled, ...(minClusterSize !== undefined && { minClusterSize }) } };
    }
  }
}

/** Returns the addresses as a client with these labels is to ask them. */
export function placeEndpoints(backends: readonly Backend[], policy: LocalityPolicy, client: Labels): Endpoints {
  const plain = backends.map(({ endpoint }) => endpoint);
  switch (policy.kind) {
    case "none":
      return { endpoints: plain };
    case "distribute":
      return distributed(plain, policy.setting, localityOf(client));
    case "failover":
      return { endpoints: inOrder(backends, (backend) => failoverRanks(backend, policy.setting, client)) };
    case "zones":
      return {
        endpoints:
          policy.setting.enabled === false
            ? plain
            : inOrder(backends, (backend) => [
                labelRank(backend.labels, policy.setting.failoverPriority ?? [], client),
                regionRank(backend, policy.setting, client),
              ]),
      };
  }
}

/** The first rule for the client's locality counts; addresses of localities that it does not name are not asked. */
function distributed(endpoints: readonly Endpoint[], { distribute = [] }: LocalitySettingSpec, own: string): Endpoints {
  const rule = distribute.find(({ from = "" }) => isWithin(own, from));
  if (rule === undefined) return { endpoints };
  const total = (among: readonly Endpoint[]) => among.reduce((sum, { weight }) => sum + weight, 0);
  const waiting = new Set(endpoints.map(({ locality = "" }) => locality));
  const localityWeights: Record<string, number> = {};
  for (const [pattern, share] of Object.entries(rule.to ?? {})) {
    const matching = [...waiting].filter((locality) => isWithin(locality, pattern));
    const members = endpoints.filter(({ locality = "" }) => matching.includes(locality));
    for (const locality of matching) {
      waiting.delete(locality);
      const part = total(members.filter((endpoint) => (endpoint.locality ?? "") === locality));
      localityWeights[locality] = Math.ceil((part * share) / total(members));
    }
  }
  return { endpoints: endpoints.filter(({ locality = "" }) => !waiting.has(locality)), localityWeights };
}

/** Whether a locality is in the one that a rule names: `*`, or nothing, is any. */
function isWithin(locality: string, pattern: string): boolean {
  const parts = partsOf(locality);
  return partsOf(pattern).every((part, level) => part === "*" || (part === "" && level > 0) || part === parts[level]);
}

function failoverRanks({ endpoint, labels }: Backend, setting: LocalitySettingSpec, client: Labels): readonly number[] {
  const { failover = [], failoverPriority = [] } = setting;
  const rank = distance(endpoint.locality ?? "", failover, localityOf(client));
  if (failoverPriority.length === 0) return [rank];
  const byLabel = labelRank(labels, failoverPriority, client);
  return failover.length === 0 ? [byLabel] : [byLabel, rank];
}

/** The same locality, zone, region; another region; one that is not where the client's region fails over to. */
function distance(locality: string, failover: NonNullable<LocalitySettingSpec["failover"]>, own: string): number {
  const [parts, ownParts] = [partsOf(locality), partsOf(own)];
  const common = parts.findIndex((part, level) => part !== ownParts[level]);
  if (common !== 0) return common < 0 ? 0 : 3 - common;
  const rule = failover.find(({ from = "" }) => from === ownParts[0]);
  return rule === undefined || rule.to === parts[0] ? 3 : 4;
}

/** The client's own region, where it fails over to, and all others: within a region Envoy looks at zones. */
function regionRank({ endpoint }: Backend, { failover = [] }: ZoneSettingSpec, client: Labels): number {
  const [region] = partsOf(endpoint.locality ?? "");
  const [own] = partsOf(localityOf(client));
  if (region === own) return 0;
  return failover.find(({ from = "" }) => from === own)?.to === region ? 1 : 2;
}

/** How many of the labels, from the last, need not be looked at: the first that differs decides. */
function labelRank(labels: Labels, priorities: readonly string[], client: Labels): number {
  if (Object.keys(client).length === 0) return 0;
  let behind = 0;
  for (const [index, text] of priorities.entries()) {
    const [label = "", wanted = client[label] ?? ""] = text.split("=");
    if ((labels[label] ?? "") === wanted) continue;
    if (index > 0 || label !== NETWORK_LABEL) return behind + priorities.length - index;
    behind = priorities.length;
  }
  return behind;
}

/** Ranks become priorities from 0 without a gap, as Envoy wants them. */
function inOrder(backends: readonly Backend[], ranksOf: (backend: Backend) => readonly number[]): readonly Endpoint[] {
  const ranked = backends.map((backend) => ({
    ...backend,
    rank: ranksOf(backend).reduce((sum, rank) => sum * RANKS + rank, 0),
  }));
  const order = [...new Set(ranked.map(({ rank }) => rank))].sort((a, b) => a - b);
  return ranked.map(({ endpoint, rank }) => {
    const priority = order.indexOf(rank);
    return priority === 0 ? endpoint : { ...endpoint, priority };
  });
}

/** More than there are ranks of one kind. */
const RANKS = 1_000;
