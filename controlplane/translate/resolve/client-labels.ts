// Which labels of clients make a difference to how hosts are reached: clients that agree in them share all answers.
import type { DestinationRuleSpec } from "../../model/kinds/destination-rule.ts";
import type { Labels } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import { memoized } from "../../world/memo.ts";
import type { MeshConfig, World } from "../../world/world.ts";
import { labelsThatMatter } from "./locality.ts";

/** Returns those of the labels that have these names. */
export const labelsAmong = memoized((names: readonly string[], labels: Labels): Labels => {
  const among = names.filter((name) => Object.hasOwn(labels, name));
  return Object.fromEntries(among.map((name) => [name, labels[name] ?? ""]));
});

/** Returns the names of labels by which a DestinationRule chooses clients, or by which its localities go. */
export const labelsInRule = memoized((mesh: MeshConfig, rule: MeshObject<"DestinationRule">): readonly string[] => [
  ...Object.keys(rule.spec.workloadSelector?.matchLabels ?? {}),
  ...localityLabels(mesh, rule.spec),
]);

/** Returns the names that any of them has. */
export const labelsInRules = derived(
  (world: World): readonly string[] => [
    ...new Set(world.list("DestinationRule").flatMap((rule) => labelsInRule(world.mesh, rule))),
  ],
  { same: sameItems },
);

/** Whichever of its parts are put together for a port and a subset. */
function localityLabels(mesh: MeshConfig, { trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly string[] {
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].flatMap((policy) =>
    policy === undefined ? [] : [policy, ...(policy.portLevelSettings ?? [])],
  );
  const [first] = policies.flatMap(({ outlierDetection }) => outlierDetection ?? []);
  return [undefined, ...policies.map(({ loadBalancer }) => loadBalancer)].flatMap((loadBalancer) =>
    labelsThatMatter(mesh, { ...(loadBalancer && { loadBalancer }), ...(first && { outlierDetection: first }) }),
  );
}
