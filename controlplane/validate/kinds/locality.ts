// What settings of localities must mean, in a DestinationRule and for the whole mesh. Nobody obeys them yet.
import type { FieldPath } from "../../model/document.ts";
import type { LocalitySettingSpec } from "../../model/kinds/destination-rule.ts";
import { each, type Loose } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

const TOPOLOGY = ["region", "zone", "subzone"].flatMap((level) => [
  `topology.kubernetes.io/${level}`,
  `topology.istio.io/${level}`,
]);

/** Checks how requests are shared between localities. */
export function checkLocalities(
  setting: Loose<LocalitySettingSpec> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  if (setting === undefined) return;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0 && failover.length > 0)
    findings.error([...at, "failover"], "cannot stand beside distribute");
  if (failover.length > 0) checkPriority(failoverPriority, [...at, "failoverPriority"], findings);
  each(distribute, [...at, "distribute"], ({ to = {} }, path) => {
    const weights = Object.values(to).map((weight) => weight ?? 0);
    if (weights.some((weight) => weight < 1 || weight > 100))
      return findings.error([...path, "to"], "must have weights between 1 and 100");
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total !== 100) findings.error([...path, "to"], `the weights must be 100 together, not ${total}`);
    checkPlaces(Object.keys(to), [...path, "to"], findings);
  });
  checkPlaces(
    distribute.map((one) => one?.from ?? ""),
    [...at, "distribute"],
    findings,
  );
  checkFailover(failover, [...at, "failover"], findings);
}

/** Checks how requests stay in their zone. */
export function checkZones(setting: Loose<LocalitySettingSpec> | undefined, at: FieldPath, findings: Findings): void {
  checkPriority(setting?.failoverPriority, [...at, "failoverPriority"], findings);
  checkFailover(setting?.failover, [...at, "failover"], findings);
}

function checkPriority(labels: Loose<readonly string[]> | undefined, at: FieldPath, findings: Findings): void {
  each(labels, at, (label, path) => {
    if (TOPOLOGY.includes(label)) findings.error(path, `cannot be the topology label ${label} here`);
  });
}

function checkFailover(failover: Loose<LocalitySettingSpec>["failover"], at: FieldPath, findings: Findings): void {
  each(failover, at, ({ from = "", to = "" }, path) => {
    if (from === to) findings.error([...path, "to"], "must be another region than from");
    for (const [field, region] of [
      ["from", from],
      ["to", to],
    ] as const)
      if (/[/*]/.test(region)) findings.error([...path, field], `must be a region, not ${quote(region)}`);
  });
}

/** `region/zone/subzone`, each part or those from the right may be left out, the last may be `*`; none within another. */
function checkPlaces(places: readonly string[], at: FieldPath, findings: Findings): void {
  const seen: string[][] = [];
  for (const place of places) {
    const parts = place.split("/", 3);
    if (parts.includes("") || /\*./.test(place))
      return findings.error(at, `${quote(place)} is no locality: write region/zone/subzone, the last part may be *`);
    const named = parts.filter((part) => part !== "*");
    if (
      seen.some(
        (other) =>
          other.every((part, index) => part === named[index]) || named.every((part, index) => part === other[index]),
      )
    )
      return findings.error(at, `${quote(place)} overlaps with a locality before it`);
    seen.push(named);
  }
}
