// DestinationRules for hosts that nobody declares, and for ports that their hosts do not have.
import type { FieldPath } from "../model/document.ts";
import { isWildcardHost, resolveHost } from "../model/hosts.ts";
import type { TrafficPolicySpec } from "../model/kinds/destination-rule.ts";
import { analysisOf } from "./finding.ts";
import { hostFaults, isCovered } from "./hosts.ts";

/** Returns DestinationRules that are about nothing. */
export const analyzeRules = analysisOf("DestinationRule", (world, { metadata, spec }) => {
  const host = resolveHost(spec.host, metadata.namespace);
  const path = ["spec", "host"];
  if (isWildcardHost(host)) {
    if (isCovered(world, host)) return [];
    const message = `no host that a Service or ServiceEntry declares is covered by ${host}`;
    return [{ path, message, lacks: ["Service/", "ServiceEntry/"] }];
  }
  const faults = hostFaults(world, host, path);
  if (faults.length > 0) return faults;
  return [
    ...portsOf(spec.trafficPolicy, ["spec", "trafficPolicy"]),
    ...(spec.subsets ?? []).flatMap(({ trafficPolicy }, index) =>
      portsOf(trafficPolicy, ["spec", "subsets", index, "trafficPolicy"]),
    ),
  ].flatMap((port) => hostFaults(world, host, path, port));
});

function portsOf(policy: TrafficPolicySpec | undefined, at: FieldPath) {
  return (policy?.portLevelSettings ?? []).map(({ port: { number } }, index) => ({
    number,
    at: [...at, "portLevelSettings", index, "port", "number"],
  }));
}
