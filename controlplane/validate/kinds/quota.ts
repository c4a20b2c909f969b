// What a QuotaSpec must mean.
import type { FieldPath } from "../../model/document.ts";
import type { QuotaSpecSpec } from "../../model/kinds/quota.ts";
import { each, type Loose, noDuplicates, report } from "../checks.ts";
import { bucketFault } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Checks a QuotaSpec. */
export function checkQuotaSpec(spec: Loose<QuotaSpecSpec>, at: FieldPath, findings: Findings): void {
  each(spec.rules, [...at, "rules"], (rule, path) => {
    each(rule.match, [...path, "match"], (match, matchPath) => {
      if (Object.keys(match.destination?.labels ?? {}).length === 0)
        findings.error(
          [...matchPath, "destination"],
          "needs labels: leave match out to mean every workload of the bound services",
        );
    });
    noDuplicates(rule.quotas, [...path, "quotas"], (quota) => quota.name, "quota", findings, ["name"]);
    each(rule.quotas, [...path, "quotas"], (quota, quotaPath) => {
      if ((quota.charge ?? 1) > (quota.maxAmount ?? Infinity))
        findings.error([...quotaPath, "charge"], "is more than maxAmount: no request would ever pass");
      const { maxAmount = 1, interval = "" } = quota;
      report(findings, [...quotaPath, "maxAmount"], bucketFault(maxAmount, maxAmount, interval));
      each(
        quota.overrides,
        [...quotaPath, "overrides"],
        ({ maxAmount: own = 1, interval: ownInterval = interval }, path) => {
          report(findings, [...path, "maxAmount"], bucketFault(own, own, ownInterval));
        },
      );
      noDuplicates(
        quota.overrides,
        [...quotaPath, "overrides"],
        (override) => override.dimensions?.source,
        "source",
        findings,
        ["dimensions", "source"],
      );
    });
  });
}
