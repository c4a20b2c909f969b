// What a VirtualService's corsPolicy must mean.
import type { FieldPath } from "../../model/document.ts";
import { parseDurationMs } from "../../model/duration.ts";
import type { CorsPolicySpec } from "../../model/kinds/virtual-service.ts";
import { each, type Loose, report } from "../checks.ts";
import { quote } from "../formats.ts";
import { tokenFault } from "../names.ts";
import { didYouMean } from "../suggest.ts";
import type { Findings } from "../violation.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

/** Checks what browsers of other origins may do. */
export function checkCrossOrigin(policy: Loose<CorsPolicySpec> | undefined, at: FieldPath, findings: Findings): void {
  if (policy === undefined) return;
  each(policy.allowOrigins, [...at, "allowOrigins"], (origin, path) => {
    for (const field of ["exact", "prefix"] as const)
      if (origin[field] === "") findings.error([...path, field], "must not be empty");
  });
  each(policy.allowMethods, [...at, "allowMethods"], (method, path) => {
    if (!METHODS.includes(method))
      findings.error(path, `${quote(method)} is no method of HTTP${didYouMean(method, METHODS)}`);
  });
  for (const field of ["allowHeaders", "exposeHeaders"] as const)
    each(policy[field], [...at, field], (name, path) =>
      report(findings, path, name === "*" ? undefined : tokenFault(name)),
    );
  if (policy.maxAge !== undefined && (parseDurationMs(policy.maxAge) ?? 0) % 1_000 !== 0)
    findings.error([...at, "maxAge"], `must be whole seconds, not ${quote(policy.maxAge)}`);
  warnOfOrigins(policy, at, findings);
}

function warnOfOrigins(policy: Loose<CorsPolicySpec>, at: FieldPath, findings: Findings): void {
  const { allowOrigin, allowOrigins } = policy;
  if (allowOrigin !== undefined && allowOrigins !== undefined)
    findings.warn([...at, "allowOrigin"], "does not count beside allowOrigins");
  else if (allowOrigin !== undefined)
    findings.warn([...at, "allowOrigin"], "is deprecated by Istio: write allowOrigins instead");
  if ((allowOrigins ?? allowOrigin ?? []).length === 0 && !findings.failedUnder(at))
    findings.warn(at, "names no origin in allowOrigins: nothing is allowed to any");
}
