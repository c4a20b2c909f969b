// What a Telemetry must mean.
import type { FieldPath } from "../../model/document.ts";
import type { MetricOverrideSpec, TelemetrySpec } from "../../model/kinds/telemetry.ts";
import { celFault } from "../cel.ts";
import { type CheckContext, each, eachEntry, type Loose, report } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Providers that are always there: metrics for Prometheus, access logs by the proxy itself. */
const METRICS_PROVIDER = "prometheus";
const LOG_PROVIDER = "envoy";
/** Attributes that Istio's own build of Envoy has and the stock one has not. */
const ISTIO_ONLY = /\b(?:upstream_peer|downstream_peer|filter_state\.(?:up|down)stream_peer)\b/;

/** Checks a Telemetry. */
export function checkTelemetry(
  spec: Loose<TelemetrySpec>,
  at: FieldPath,
  findings: Findings,
  _context: CheckContext,
): void {
  each(spec.metrics, [...at, "metrics"], (metrics, path) => {
    checkProviders(metrics.providers, [...path, "providers"], METRICS_PROVIDER, findings);
    each(metrics.overrides, [...path, "overrides"], (override, where) => checkOverride(override, where, findings));
  });
  each(spec.accessLogging, [...at, "accessLogging"], (logging, path) => {
    checkProviders(logging.providers, [...path, "providers"], LOG_PROVIDER, findings);
    const expression = logging.filter?.expression;
    if (expression === undefined) return;
    checkExpression(expression, [...path, "filter", "expression"], findings);
    report(findings, [...path, "filter", "expression"], celFault(expression));
  });
}

function checkProviders(
  providers: Loose<readonly { readonly name: string }[]> | undefined,
  at: FieldPath,
  known: string,
  findings: Findings,
): void {
  each(providers, at, (provider, path) => {
    if (provider.name !== undefined && provider.name !== known)
      findings.warn([...path, "name"], `there is no provider ${quote(provider.name)}: the one there is is ${known}`);
  });
}

function checkOverride(override: Loose<MetricOverrideSpec>, at: FieldPath, findings: Findings): void {
  if (override.match?.customMetric !== undefined)
    findings.warn(
      [...at, "match", "customMetric"],
      `has no effect: metrics of other filters are their own, not ${quote(override.match.customMetric)}`,
    );
  eachEntry(override.tagOverrides, [...at, "tagOverrides"], (name, tag, path) => {
    if (!/^[a-z_][a-z0-9_]*$/i.test(name)) findings.error(path, `is not a name of a label: ${quote(name)}`);
    if (tag.operation === "REMOVE" && tag.value !== undefined)
      findings.error([...path, "value"], "cannot be given with operation REMOVE");
    if (tag.operation !== "REMOVE" && tag.value === undefined && !findings.failedUnder(path))
      findings.error([...path, "value"], "is required: an expression for the label");
    if (tag.value === undefined) return;
    checkExpression(tag.value, [...path, "value"], findings);
    report(findings, [...path, "value"], celFault(tag.value));
  });
}

function checkExpression(expression: string, at: FieldPath, findings: Findings): void {
  if (expression.length > 1_024) return findings.error(at, "is longer than 1024 characters");
  if (ISTIO_ONLY.test(expression)) findings.warn(at, "uses an attribute that stock Envoy has not: it is unknown");
}
