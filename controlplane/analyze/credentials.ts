// Credentials that DestinationRules name and that no client has.
import type { FieldPath } from "../model/document.ts";
import type { ClientTlsSpec, TrafficPolicySpec } from "../model/kinds/destination-rule.ts";
import type { MeshObject } from "../model/object.ts";
import { authorityName } from "../translate/resolve/credential.ts";
import { lacksCredential } from "../translate/resolve/upstream-tls.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { namespacesOfWorkloads } from "./workloads.ts";

type Rule = MeshObject<"DestinationRule">;
type Policy = Pick<TrafficPolicySpec, "tls">;

/** Returns names of Secrets, in policies of whole hosts, ports and subsets, that lead to none. */
export const analyzeCredentials = analysisOf("DestinationRule", (world, rule) =>
  policiesOf(rule.spec).flatMap(([policy, at]) => credentialMissing(world, rule, policy.tls, [...at, "tls"])),
);

function policiesOf({ trafficPolicy, subsets = [] }: Rule["spec"]): readonly (readonly [Policy, FieldPath])[] {
  const withPorts = (
    policy: TrafficPolicySpec | undefined,
    at: FieldPath,
  ): readonly (readonly [Policy, FieldPath])[] =>
    policy === undefined
      ? []
      : [
          [policy, at],
          ...(policy.portLevelSettings ?? []).map(
            (settings, index) => [settings, [...at, "portLevelSettings", index]] as const,
          ),
        ];
  return [
    ...withPorts(trafficPolicy, ["spec", "trafficPolicy"]),
    ...subsets.flatMap((subset, index) => withPorts(subset.trafficPolicy, ["spec", "subsets", index, "trafficPolicy"])),
  ];
}

/** The Secret is one of the client's namespace: the rule's own, or whichever the rule is exported to. */
function credentialMissing(
  world: World,
  { metadata: { namespace }, spec }: Rule,
  tls: ClientTlsSpec | undefined,
  at: FieldPath,
): readonly Flaw[] {
  const isOwn = spec.workloadSelector !== undefined;
  const namespaces = isOwn ? [namespace] : [...new Set([namespace, ...namespacesOfWorkloads(world)])];
  if (namespaces.some((client) => !lacksCredential(world, client, tls))) return [];
  const name = tls?.credentialName ?? "";
  const parts = tls?.mode === "MUTUAL" ? "a certificate, its key and authorities" : "authorities";
  const message = `there is no Secret ${name} with ${parts} in ${namespace}: connections are not made`;
  const lacks = [`Secret/${namespace}/${name}`, `Secret/${namespace}/${authorityName(name)}`];
  return [{ path: [...at, "credentialName"], message, lacks }];
}
