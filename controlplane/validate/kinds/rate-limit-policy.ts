// What a RateLimitPolicy must mean.
import type { FieldPath } from "../../model/document.ts";
import type { RateLimitPolicySpec, RateLimitSpec } from "../../model/kinds/rate-limit-policy.ts";
import { each, type Loose, noDuplicates, report } from "../checks.ts";
import { bucketFault, pathTemplateFault, quote } from "../formats.ts";
import { tokenFault } from "../names.ts";
import type { Findings } from "../violation.ts";

/** Checks a RateLimitPolicy. */
export function checkRateLimitPolicy(spec: Loose<RateLimitPolicySpec>, at: FieldPath, findings: Findings): void {
  noDuplicates(spec.limits, [...at, "limits"], (limit) => limit.name, "limit", findings, ["name"]);
  each(spec.limits, [...at, "limits"], (limit, path) => checkLimit(limit, path, findings));
}

function checkLimit(limit: Loose<RateLimitSpec>, at: FieldPath, findings: Findings): void {
  each(limit.match?.methods, [...at, "match", "methods"], (method, path) => report(findings, path, tokenFault(method)));
  each(limit.match?.paths, [...at, "match", "paths"], (text, path) => report(findings, path, pathTemplateFault(text)));
  each(limit.key, [...at, "key"], (part, path) => {
    if (part.header !== undefined) report(findings, [...path, "header"], tokenFault(part.header));
    if (part.path === false) findings.error([...path, "path"], "must be true, or be left out");
  });
  noDuplicates(limit.key, [...at, "key"], (part) => JSON.stringify(part).toLowerCase(), "part", findings);
  const { requests, burst = requests, per } = limit;
  if (requests !== undefined && burst !== undefined && per !== undefined) report(findings, [...at, "requests"], bucketFault(requests, burst, per));
  each(limit.overrides, [...at, "overrides"], (override, path) => {
    const { requests: own, burst: ownBurst = own, per: ownPer = per } = override;
    if (own !== undefined && ownBurst !== undefined && ownPer !== undefined) report(findings, [...path, "requests"], bucketFault(own, ownBurst, ownPer));
    each(override.principals, [...path, "principals"], (principal, principalPath) => {
      if (principal.startsWith("spiffe://")) findings.error(principalPath, `is written without its scheme: ${quote(principal.slice("spiffe://".length))}`);
    });
  });
}
