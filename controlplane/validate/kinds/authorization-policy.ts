// What an AuthorizationPolicy must mean.
import type { FieldPath } from "../../model/document.ts";
import {
  type AuthorizationConditionSpec,
  type AuthorizationOperationSpec,
  type AuthorizationPolicySpec,
  type AuthorizationRuleSpec,
  type AuthorizationSourceSpec,
  DRY_RUN_ANNOTATION,
} from "../../model/kinds/authorization-policy.ts";
import { type CheckContext, each, type Loose, report } from "../checks.ts";
import { ipBlockFault, pathTemplateFault, quote, wildcardFault } from "../formats.ts";
import { PSEUDO_HEADERS, tokenFault } from "../names.ts";
import { didYouMean } from "../suggest.ts";
import type { Findings } from "../violation.ts";

const CONDITION_KEYS = [
  "source.ip",
  "remote.ip",
  "source.trustDomain",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "destination.ip",
  "destination.port",
  "connection.sni",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
];

/** Checks an AuthorizationPolicy. */
export function checkAuthorizationPolicy(
  spec: Loose<AuthorizationPolicySpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  checkDryRun(spec.action, context.annotations[DRY_RUN_ANNOTATION], findings);
  each(spec.rules, [...at, "rules"], (rule, path) => checkRule(rule, path, findings));
  if (spec.action === "DENY" && (spec.rules?.length ?? 0) === 0)
    findings.error(
      [...at, "rules"],
      "is required by action DENY, which denies nothing without: [{}] denies everything",
    );
}

/** As Istio: who wants a trial and mistypes it must not get a policy that is enforced without knowing. */
function checkDryRun(action: AuthorizationPolicySpec["action"], value: string | undefined, findings: Findings): void {
  const at = ["metadata", "annotations", DRY_RUN_ANNOTATION];
  if (value === undefined) return;
  if (!/^(?:1|0|t|f|T|F|true|false|TRUE|FALSE|True|False)$/.test(value))
    findings.error(at, `must be "true" or "false", not ${quote(value)}`);
  else if (action === "AUDIT") findings.warn(at, "changes nothing: an AUDIT policy refuses nothing anyway");
}

function checkRule(rule: Loose<AuthorizationRuleSpec>, at: FieldPath, findings: Findings): void {
  for (const field of ["from", "to", "when"] as const) {
    if (rule[field]?.length === 0)
      findings.error([...at, field], "must not be an empty list: leave it out to match everything");
  }
  each(rule.from, [...at, "from"], ({ source }, path) => {
    if (source === undefined) findings.error([...path, "source"], "is required");
    else checkSource(source, [...path, "source"], findings);
  });
  each(rule.to, [...at, "to"], ({ operation }, path) => {
    if (operation === undefined) findings.error([...path, "operation"], "is required");
    else checkOperation(operation, [...path, "operation"], findings);
  });
  each(rule.when, [...at, "when"], (condition, path) => checkCondition(condition, path, findings));
}

/** An empty list would match everything where its author listed nothing: Istio refuses it, so do we. */
function noEmptyLists(
  fields: Readonly<Record<string, readonly unknown[] | undefined>>,
  at: FieldPath,
  findings: Findings,
): void {
  for (const [name, list] of Object.entries(fields)) {
    if (list?.length === 0) findings.error([...at, name], "must not be an empty list");
  }
}

/** Said wherever a policy asks for a token: a DENY that could never match must not look as if it guarded something. */
const NO_TOKENS =
  "asks for a verified token, but RequestAuthentication is not supported yet: " +
  "unless a filter of your own puts jwt_authn's metadata there, no request has one";

function checkSource(source: Loose<AuthorizationSourceSpec>, at: FieldPath, findings: Findings): void {
  noEmptyLists(source, at, findings);
  for (const field of ["requestPrincipals", "notRequestPrincipals"] as const)
    if (source[field] !== undefined) findings.warn([...at, field], NO_TOKENS);
  for (const field of ["principals", "notPrincipals"] as const) {
    each(source[field], [...at, field], (value, path) => {
      if (value.startsWith("spiffe://"))
        findings.error(path, `is written without its scheme: ${quote(value.slice("spiffe://".length))}`);
      else report(findings, path, wildcardFault(value));
    });
  }
  for (const field of [
    "requestPrincipals",
    "notRequestPrincipals",
    "trustDomains",
    "notTrustDomains",
    "namespaces",
    "notNamespaces",
  ] as const)
    each(source[field], [...at, field], (value, path) => report(findings, path, wildcardFault(value)));
  for (const field of ["serviceAccounts", "notServiceAccounts"] as const) {
    each(source[field], [...at, field], (value, path) => {
      report(findings, path, serviceAccountFault(value));
    });
    if (
      source[field] !== undefined &&
      (source.principals ?? source.namespaces ?? source.notPrincipals ?? source.notNamespaces) !== undefined
    ) {
      findings.error([...at, field], "cannot stand beside principals or namespaces");
    }
  }
}

function checkOperation(operation: Loose<AuthorizationOperationSpec>, at: FieldPath, findings: Findings): void {
  noEmptyLists(operation, at, findings);
  for (const field of ["ports", "notPorts"] as const)
    each(operation[field], [...at, field], (value, path) => report(findings, path, portFault(value)));
  for (const field of ["paths", "notPaths"] as const) {
    each(operation[field], [...at, field], (value, path) =>
      report(findings, path, pathTemplateFault(value) ?? (/[{}]/.test(value) ? undefined : wildcardFault(value))),
    );
  }
  for (const field of ["methods", "notMethods", "hosts", "notHosts"] as const)
    each(operation[field], [...at, field], (value, path) => report(findings, path, wildcardFault(value)));
}

function serviceAccountFault(value: string): string | undefined {
  return /^(?:[a-z0-9-]{1,63}\/)?[a-z0-9][a-z0-9.-]{0,252}$/.test(value)
    ? undefined
    : `must be name or namespace/name, without wildcards, not ${quote(value)}`;
}

function portFault(value: string): string | undefined {
  return /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535 ? undefined : `must be a port, not ${quote(value)}`;
}

function checkCondition(condition: Loose<AuthorizationConditionSpec>, at: FieldPath, findings: Findings): void {
  if (condition.values === undefined && condition.notValues === undefined)
    findings.error([...at, "values"], "values or notValues is required");
  const { key } = condition;
  if (key === undefined) return;
  const fault = conditionKeyFault(key);
  if (fault !== undefined) return findings.error([...at, "key"], fault);
  if (key.startsWith("request.auth.")) findings.warn([...at, "key"], NO_TOKENS);
  for (const field of ["values", "notValues"] as const) {
    if (condition[field]?.length === 0) findings.error([...at, field], "must not be an empty list");
    each(condition[field], [...at, field], (value, path) => {
      if (key.endsWith(".ip")) report(findings, path, ipBlockFault(value));
      else if (key === "destination.port") report(findings, path, portFault(value));
      else if (key === "source.serviceAccount") report(findings, path, serviceAccountFault(value));
      else report(findings, path, wildcardFault(value));
    });
  }
}

function conditionKeyFault(key: string): string | undefined {
  if (CONDITION_KEYS.includes(key)) return undefined;
  const header = /^request\.headers\[(.*)\]$/.exec(key)?.[1];
  if (header !== undefined) return PSEUDO_HEADERS.has(header.toLowerCase()) ? undefined : tokenFault(header);
  if (/^request\.auth\.claims(?:\[[^[\]]+\])+$/.test(key) || /^experimental\.envoy\.filters\.[^[\]]+\[.+\]$/.test(key))
    return undefined;
  const named = ["request.headers[name]", "request.auth.claims[name]", "experimental.envoy.filters.name[key]"];
  return `${quote(key)} is no condition key${didYouMean(key, [...CONDITION_KEYS, ...named])}`;
}
