// What a RateLimitPolicy must mean.
import type { FieldPath } from "../../model/document.ts";
import { parseDurationMs } from "../../model/duration.ts";
import type {
  GlobalRateLimitSpec,
  RateLimitKeyPartSpec,
  RateLimitOverrideSpec,
  RateLimitPolicySpec,
  RateLimitSpec,
} from "../../model/kinds/rate-limit-policy.ts";
import { each, exactHostFault, type Loose, noDuplicates, report } from "../checks.ts";
import { bucketFault, pathTemplateFault, quote, wildcardFault } from "../formats.ts";
import { tokenFault } from "../names.ts";
import type { Findings } from "../violation.ts";

/** Checks a RateLimitPolicy. */
export function checkRateLimitPolicy(spec: Loose<RateLimitPolicySpec>, at: FieldPath, findings: Findings): void {
  noDuplicates(spec.limits, [...at, "limits"], (limit) => limit.name, "limit", findings, ["name"]);
  each(spec.limits, [...at, "limits"], (limit, path) => checkLimit(limit, path, findings));
}

function checkLimit(limit: Loose<RateLimitSpec>, at: FieldPath, findings: Findings): void {
  if (limit.match !== undefined) checkMatch(limit.match, [...at, "match"], findings);
  if (limit.refusal !== undefined) checkRefusal(limit.refusal, limit, [...at, "refusal"], findings);
  each(limit.key, [...at, "key"], (part, path) => checkKeyPart(part, path, findings));
  noDuplicates(limit.key, [...at, "key"], (part) => JSON.stringify(part).toLowerCase(), "part", findings);
  checkNumbers(limit, at, findings);
  noDuplicates(limit.overrides, [...at, "overrides"], (override) => override.name, "override", findings, ["name"]);
  each(limit.overrides, [...at, "overrides"], (override, path) => checkOverride(override, limit, path, findings));
  checkCost(limit, at, findings);
  if (limit.global !== undefined) checkGlobal(limit.global, [...at, "global"], findings);
}

function checkMatch(match: NonNullable<Loose<RateLimitSpec>["match"]>, at: FieldPath, findings: Findings): void {
  for (const field of ["methods", "notMethods"] as const)
    each(match[field], [...at, field], (method, path) =>
      report(findings, path, tokenFault(method) ?? wildcardFault(method)),
    );
  for (const field of ["paths", "notPaths"] as const)
    each(match[field], [...at, field], (text, path) =>
      report(findings, path, pathTemplateFault(text) ?? (/[{}]/.test(text) ? undefined : wildcardFault(text))),
    );
  for (const field of ["hosts", "notHosts"] as const)
    each(match[field], [...at, field], (text, path) => report(findings, path, wildcardFault(text)));
  for (const field of ["headers", "queryParameters"] as const)
    each(match[field], [...at, field], ({ values, notValues }, path) => {
      each(values, [...path, "values"], (text, at) => report(findings, at, wildcardFault(text)));
      each(notValues, [...path, "notValues"], (text, at) => report(findings, at, wildcardFault(text)));
    });
  each(match.headers, [...at, "headers"], ({ name }, path) => {
    if (name?.startsWith(":"))
      findings.error([...path, "name"], `is no header: match has methods, paths and hosts for ${quote(name)}`);
    else if (name !== undefined) report(findings, [...path, "name"], tokenFault(name));
  });
}

/** What a refusal's headers cannot be: what it says itself, and what is no part of its content. */
const NOT_OF_A_REFUSAL = new Set([
  "retry-after",
  "x-envoy-ratelimited",
  "content-length",
  "transfer-encoding",
  "connection",
  "grpc-status",
]);
const MOST_REFUSAL_HEADERS = 16;

function checkRefusal(
  { headers }: NonNullable<Loose<RateLimitSpec>["refusal"]>,
  { shadow }: Loose<RateLimitSpec>,
  at: FieldPath,
  findings: Findings,
): void {
  if (shadow === true) findings.error(at, "is for limits that refuse: this one is in shadow");
  const names = Object.keys(headers ?? {});
  if (names.length > MOST_REFUSAL_HEADERS)
    findings.error([...at, "headers"], `must be ${MOST_REFUSAL_HEADERS} at most`);
  for (const name of names) {
    report(findings, [...at, "headers", name], tokenFault(name));
    if (NOT_OF_A_REFUSAL.has(name.toLowerCase()))
      findings.error([...at, "headers", name], "is not for a refusal to say: the filter does where it has to be said");
    if (names.some((other) => other < name && other.toLowerCase() === name.toLowerCase()))
      findings.error([...at, "headers", name], "is there twice");
  }
}

/**
 * A limit of the proxy's own needs its numbers; one that only a service knows must have none, since nothing would come
 * of them.
 */
function checkNumbers(
  { requests, per, burst, global, overrides }: Loose<RateLimitSpec>,
  at: FieldPath,
  findings: Findings,
): void {
  if (global?.failure === "open" || global?.failure === "closed") {
    for (const [field, value] of Object.entries({ requests, per, burst, overrides })) {
      if (value !== undefined)
        findings.error(
          [...at, field],
          "is decided by the rate limit service: leave it out, or set global.failure to local",
        );
    }
    return;
  }
  for (const [field, value] of Object.entries({ requests, per })) {
    if (value === undefined)
      findings.error(
        [...at, field],
        global === undefined ? "is required" : "is required where global.failure is local",
      );
  }
  if (requests !== undefined && per !== undefined)
    report(findings, [...at, "requests"], bucketFault(requests, burst ?? requests, per));
}

function checkKeyPart(part: Loose<RateLimitKeyPartSpec>, at: FieldPath, findings: Findings): void {
  if (part.header !== undefined) report(findings, [...at, "header"], tokenFault(part.header));
  if (part.path === false) findings.error([...at, "path"], "must be true, or be left out");
  if (part.route === false) findings.error([...at, "route"], "must be true, or be left out");
  each(part.pathTemplate, [...at, "pathTemplate"], (text, path) => report(findings, path, templateFault(text)));
  if (part.pathCapture !== undefined) {
    report(
      findings,
      [...at, "pathCapture"],
      templateFault(part.pathCapture) ??
        (part.pathCapture.includes("{*}") && !part.pathCapture.split("{*}")[0]?.includes("{**}")
          ? undefined
          : "must have a {*}, whose text is the key"),
    );
  }
  each(part.claim, [...at, "claim"], (name, path) => {
    if (name.includes("\u0000")) findings.error(path, "cannot hold a NUL");
  });
}

/** A pattern of a whole path is checked as a template even where it has no braces. */
function templateFault(text: string): string | undefined {
  if (!text.startsWith("/")) return `must begin with /: ${quote(text)}`;
  const fault = pathTemplateFault(`${text.endsWith("/") ? text : `${text}/`}{**}`);
  return text.includes("{**}") ? pathTemplateFault(text) : fault;
}

function checkOverride(
  override: Loose<RateLimitOverrideSpec>,
  limit: Loose<RateLimitSpec>,
  at: FieldPath,
  findings: Findings,
): void {
  const { requests: own, burst: ownBurst = own, per: ownPer = limit.per, principals, values } = override;
  if (own !== undefined && ownBurst !== undefined && ownPer !== undefined)
    report(findings, [...at, "requests"], bucketFault(own, ownBurst, ownPer));
  if (principals === undefined && values === undefined)
    findings.error(at, "needs principals or values: whom is it for?");
  each(principals, [...at, "principals"], (principal, path) => {
    if (principal.startsWith("spiffe://"))
      findings.error(path, `is written without its scheme: ${quote(principal.slice("spiffe://".length))}`);
  });
  const parts = limit.key?.length ?? 0;
  if (values !== undefined && values.length !== parts)
    findings.error([...at, "values"], `must have one pattern for each part of the limit's key, which has ${parts}`);
  if (override.perKey === true && parts === 0) findings.error([...at, "perKey"], "needs a key: the limit has none");
}

function checkCost(
  { cost, requests, burst = requests, overrides, global }: Loose<RateLimitSpec>,
  at: FieldPath,
  findings: Findings,
): void {
  if (cost === undefined) return;
  const path = [...at, "cost"];
  const { header, min = 1, max, default: otherwise } = cost;
  if (header !== undefined) {
    report(findings, [...path, "header"], tokenFault(header));
    if (max === undefined)
      findings.error([...path, "max"], "is required with a header: what a client says needs a bound");
    else if (max < min) findings.error([...path, "max"], "is less than min");
    else if (otherwise !== undefined && (otherwise < min || otherwise > max))
      findings.error([...path, "default"], `must be between ${min} and ${max}`);
  } else {
    for (const field of ["default", "min", "max"] as const)
      if (cost[field] !== undefined) findings.error([...path, field], "is for costs that a header says");
  }
  const most = header === undefined ? cost.requests : max;
  if (most === undefined || (global !== undefined && global.failure !== "local")) return;
  if (burst !== undefined && most > burst)
    findings.error(path, `is over the bucket's size, ${burst}: such a request would never be admitted`);
  each(overrides, [...at, "overrides"], ({ requests: own, burst: ownBurst = own }, overridePath) => {
    if (ownBurst !== undefined && most > ownBurst)
      findings.error(
        overridePath,
        `has a bucket of ${ownBurst}, smaller than the cost of ${most}: such a request would never be admitted`,
      );
  });
}

function checkGlobal(global: Loose<GlobalRateLimitSpec>, at: FieldPath, findings: Findings): void {
  if (global.host !== undefined) report(findings, [...at, "host"], exactHostFault(global.host));
  for (const field of ["timeout", "staleness"] as const) {
    const ms = global[field] === undefined ? undefined : parseDurationMs(global[field]);
    if (ms !== undefined && ms > HOUR_MS) findings.error([...at, field], "must be an hour at most");
  }
}

const HOUR_MS = 3_600_000;
