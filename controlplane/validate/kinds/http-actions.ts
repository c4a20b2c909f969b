// What the actions of an HTTP route must mean.
import type { FieldPath } from "../../model/document.ts";
import type { FaultSpec, HeaderOperationsSpec, HttpRouteSpec, RetriesSpec } from "../../model/kinds/virtual-service.ts";
import { each, eachEntry, type Loose, report } from "../checks.ts";
import { formatFault } from "../command-operators.ts";
import { groupCount, quote, substitutionFault } from "../formats.ts";
import { tokenFault } from "../names.ts";
import { didYouMean } from "../suggest.ts";
import type { Findings } from "../violation.ts";

const REDIRECT_CODES = [301, 302, 303, 307, 308];
/** Envoy's retry conditions (x-envoy-retry-on and x-envoy-retry-grpc-on). */
const RETRY_CONDITIONS = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "envoy-ratelimited",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
];
/** What says how to try again. */
const RETRY_FIELDS = [
  "perTryTimeout",
  "retryOn",
  "retryRemoteLocalities",
  "retryIgnorePreviousHosts",
  "backoff",
] as const;
const GRPC_CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Checks a rewrite. */
export function checkRewrite(rewrite: Loose<HttpRouteSpec>["rewrite"], at: FieldPath, findings: Findings): void {
  if (rewrite === undefined || findings.failedUnder(at)) return;
  const { uri, uriRegexRewrite: pathRegex, authority } = rewrite;
  if (uri === undefined && pathRegex === undefined && authority === undefined)
    findings.error(at, "needs uri, uriRegexRewrite or authority");
  if (pathRegex?.match !== undefined && pathRegex.rewrite !== undefined)
    report(
      findings,
      [...at, "uriRegexRewrite", "rewrite"],
      substitutionFault(pathRegex.rewrite, groupCount(pathRegex.match)),
    );
}

/** Checks a route's redirect. */
export function checkRedirect(route: Loose<HttpRouteSpec>, of: FieldPath, findings: Findings): void {
  const { redirect } = route;
  const at = [...of, "redirect"];
  if (redirect === undefined) return;
  if (
    redirect.prefixRewrite !== undefined &&
    route.match?.some((match) => match?.uri !== undefined && match.uri.prefix === undefined)
  )
    findings.error([...at, "prefixRewrite"], "needs each match of a uri to be a prefix");
  if (redirect.redirectCode !== undefined && !REDIRECT_CODES.includes(redirect.redirectCode)) {
    findings.error(
      [...at, "redirectCode"],
      `must be one of ${REDIRECT_CODES.join(", ")}, not ${redirect.redirectCode}`,
    );
  }
  if (redirect.uri !== undefined && redirect.prefixRewrite !== undefined)
    findings.error([...at, "prefixRewrite"], "cannot stand beside uri");
  const changes = [
    redirect.uri,
    redirect.prefixRewrite,
    redirect.authority,
    redirect.port,
    redirect.derivePort,
    redirect.scheme,
  ];
  if (changes.every((change) => change === undefined))
    findings.error(at, "must change uri, prefix, authority, port or scheme");
}

/** Checks a retry policy. */
export function checkRetries(retries: Loose<RetriesSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (retries === undefined) return;
  const other = RETRY_FIELDS.find((field) => retries[field] !== undefined && retries[field] !== "");
  if ((retries.attempts ?? 0) === 0 && other !== undefined && !findings.failedUnder(at)) {
    findings.error([...at, "attempts"], `is 0, which turns retries off: remove ${other}`);
  }
  for (const condition of (retries.retryOn ?? "").split(",").map((part) => part.trim())) {
    const isStatus = /^[1-5]\d\d$/.test(condition);
    if (condition === "" || isStatus || RETRY_CONDITIONS.includes(condition)) continue;
    findings.error(
      [...at, "retryOn"],
      `${quote(condition)} is no retry condition of Envoy and no status code${didYouMean(condition, RETRY_CONDITIONS)}`,
    );
  }
}

/** Checks a fault injection. */
export function checkFault(fault: Loose<FaultSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (fault !== undefined && fault.abort === undefined && fault.delay === undefined && !findings.failedUnder(at))
    findings.error(at, "needs abort or delay");
  if (fault?.abort?.httpStatus === 600)
    findings.warn([...at, "abort", "httpStatus"], "600 is no status that Envoy can answer with: nothing is aborted");
  const status = fault?.abort?.grpcStatus;
  if (
    status !== undefined &&
    !GRPC_CODES.includes(status.toUpperCase()) &&
    !(/^\d{1,2}$/.test(status) && Number(status) <= 16)
  ) {
    findings.error(
      [...at, "abort", "grpcStatus"],
      `${quote(status)} is no gRPC status${didYouMean(status, GRPC_CODES)}`,
    );
  }
  const delay = fault?.delay;
  if (delay?.percent !== undefined && delay.percentage !== undefined)
    findings.error([...at, "delay", "percent"], "cannot stand beside percentage");
}

/** Checks additions to and removals from headers. */
export function checkHeaderOperations(
  operations: Loose<HeaderOperationsSpec> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  for (const side of ["request", "response"] as const) {
    for (const action of ["set", "add"] as const) {
      eachEntry(operations?.[side]?.[action], [...at, side, action], (name, value, path) => {
        const mayBeAuthority = side === "request" && action === "set";
        report(findings, path, headerNameFault(name, mayBeAuthority));
        if (!mayBeAuthority) warnOfHost(name, path, findings);
        report(findings, path, formatFault(value));
      });
    }
    each(operations?.[side]?.remove, [...at, side, "remove"], (name, path) => {
      report(findings, path, headerNameFault(name, false));
      warnOfHost(name, path, findings);
    });
  }
}

/** As in Istio: Envoy lets nobody add or take away a request's host. */
function warnOfHost(name: string, path: FieldPath, findings: Findings): void {
  if (name.toLowerCase() === "host") findings.warn(path, "has no effect: a host can only be set, on requests");
}

function headerNameFault(name: string, mayBeAuthority: boolean): string | undefined {
  if (name === ":authority" && mayBeAuthority) return undefined;
  return name.startsWith(":") ? `pseudo header ${quote(name)} cannot be changed here` : tokenFault(name);
}
