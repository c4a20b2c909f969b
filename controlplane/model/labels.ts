// Label selectors.

/** Labels of a workload or the labels a selector asks for. */
export type Labels = Readonly<Record<string, string>>;

/** Returns whether every label of `selector` is on `labels`; an absent or empty selector selects everything. */
export function labelsMatch(selector: Labels | undefined, labels: Labels): boolean {
  if (selector === undefined) return true;
  for (const [name, value] of Object.entries(selector)) {
    if (!Object.hasOwn(labels, name) || labels[name] !== value) return false;
  }
  return true;
}

/** Returns whether the selector names no label at all and so selects everything. */
export function selectsAll(selector: Labels | undefined): boolean {
  return selector === undefined || Object.keys(selector).length === 0;
}

/** The labels that say part by part where a workload runs, from the widest: failover priorities and subsets may name them. */
export const TOPOLOGY_LABELS = [
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
] as const;
