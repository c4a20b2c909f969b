// What a VirtualService must mean.
import type { FieldPath } from "../../model/document.ts";
import { MAX_DIRECT_RESPONSE_BYTES } from "../../model/envoy-limits.ts";
import type { HttpMatchSpec, HttpRouteSpec, VirtualServiceSpec } from "../../model/kinds/virtual-service.ts";
import { claimHeader, parseSticky, STICKY_ANNOTATION } from "../../model/sticky.ts";
import { hostsOverlap } from "../../model/hosts.ts";
import {
  type CheckContext,
  checkExportTo,
  each,
  eachEntry,
  gatewayNameFault,
  hostPatternFault,
  type Loose,
  report,
  serverNameFault,
} from "../checks.ts";
import { quote } from "../formats.ts";
import { dnsLabelFault, PSEUDO_HEADERS, tokenFault } from "../names.ts";
import type { Findings } from "../violation.ts";
import { checkConnectionRoutes } from "./connection-routes.ts";
import { checkCrossOrigin } from "./cross-origin.ts";
import { checkDestination, checkTargets } from "./destinations.ts";
import { checkFault, checkHeaderOperations, checkRedirect, checkRetries, checkRewrite } from "./http-actions.ts";

/** Checks a VirtualService. */
export function checkVirtualService(
  spec: Loose<VirtualServiceSpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  const isDelegate = (spec.hosts?.length ?? 0) === 0;
  checkSticky(spec, isDelegate, context.annotations[STICKY_ANNOTATION], findings);
  if (isDelegate && (spec.gateways?.length ?? 0) > 0)
    findings.error([...at, "hosts"], "is required beside gateways: one to delegate to has neither");
  const meshBound = spec.gateways === undefined || spec.gateways.length === 0 || spec.gateways.includes("mesh");
  each(spec.hosts, [...at, "hosts"], (host, path) => {
    report(findings, path, meshBound ? hostPatternFault(host) : serverNameFault(host));
    if (host === "*" && meshBound)
      findings.error(path, "* is not allowed for sidecars: bind the VirtualService to a gateway, or name hosts");
  });
  each(spec.hosts, [...at, "hosts"], (host, path, index) => {
    const other = spec.hosts?.slice(0, index).find((one) => one && hostsOverlap(one.toLowerCase(), host.toLowerCase()));
    if (other !== undefined) findings.error(path, `${quote(host)} and ${quote(other)} cover the same hosts`);
  });
  each(spec.gateways, [...at, "gateways"], (gateway, path) => report(findings, path, gatewayNameFault(gateway)));
  checkExportTo(spec.exportTo, [...at, "exportTo"], findings, context.namespace);
  const connections = [...(spec.tcp ?? []), ...(spec.tls ?? [])];
  if (isDelegate && connections.length > 0)
    findings.error([...at, "hosts"], "is required beside tcp and tls: only http routes can be delegated to");
  if ((spec.http ?? []).length === 0 && connections.length === 0 && !findings.failedUnder(at))
    findings.error([...at, "http"], "is required: a VirtualService without routes routes nothing");
  each(spec.http, [...at, "http"], (route, path) => checkRoute(route, isDelegate, path, findings));
  checkConnectionRoutes(spec, meshBound, at, findings);
  warnUnreachable(spec.http, [...at, "http"], findings);
}

function checkSticky(
  spec: Loose<VirtualServiceSpec>,
  isDelegate: boolean,
  text: string | undefined,
  findings: Findings,
): void {
  if (text === undefined) return;
  const at = ["metadata", "annotations", STICKY_ANNOTATION];
  const parsed = parseSticky(text);
  if (parsed.kind === "failed") return findings.error(at, parsed.message);
  if (isDelegate) return findings.warn(at, "has no effect here: it is the annotation of whoever delegates that counts");
  const weighted =
    spec.http?.some(
      (route) =>
        route?.delegate !== undefined || (route?.route ?? []).filter((target) => (target?.weight ?? 0) > 0).length > 1,
    ) ?? false;
  if (!weighted) findings.warn(at, "has no effect: no route has several destinations with weights");
}

type Action = "route" | "redirect" | "directResponse";

function actionsOf(route: Loose<HttpRouteSpec>): readonly Action[] {
  return (["route", "redirect", "directResponse"] as const).filter((name) =>
    name === "route" ? (route.route?.length ?? 0) > 0 : route[name] !== undefined,
  );
}

function checkRoute(route: Loose<HttpRouteSpec>, isDelegate: boolean, at: FieldPath, findings: Findings): void {
  if (route.delegate !== undefined) checkDelegation(route, isDelegate, at, findings);
  else checkActions(route, at, findings);
  each(route.match, [...at, "match"], (match, path) => checkMatch(match, path, findings));
  checkDestinations(route, at, findings);
  checkRewrite(route.rewrite, [...at, "rewrite"], findings);
  checkAuthority(route, at, findings);
  checkRedirect(route, at, findings);
  checkRetries(route.retries, [...at, "retries"], findings);
  checkFault(route.fault, [...at, "fault"], findings);
  checkHeaderOperations(route.headers, [...at, "headers"], findings);
  checkCrossOrigin(route.corsPolicy, [...at, "corsPolicy"], findings);
  checkBody(route, at, findings);
}

function checkActions(route: Loose<HttpRouteSpec>, at: FieldPath, findings: Findings): void {
  const actions = actionsOf(route);
  if (actions.length === 0 && !findings.failedUnder(at))
    findings.error([...at, "route"], "is required: a rule needs a route, a redirect, a directResponse or a delegate");
  if (actions.length > 1) findings.error([...at, actions[1] ?? ""], `cannot stand beside ${actions[0]}`);
  if (route.rewrite !== undefined && actions[0] !== "route")
    findings.error([...at, "rewrite"], "needs a route to rewrite for");
  if (route.fault !== undefined && actions[0] !== undefined && actions[0] !== "route")
    findings.error([...at, "fault"], `cannot stand beside ${actions[0]}`);
}

function checkDelegation(route: Loose<HttpRouteSpec>, isDelegate: boolean, at: FieldPath, findings: Findings): void {
  if (isDelegate)
    findings.error([...at, "delegate"], "cannot stand in a VirtualService without hosts: delegates do not delegate");
  for (const name of actionsOf(route))
    if (name !== "directResponse") findings.error([...at, name], "cannot stand beside delegate");
}

function checkAuthority(route: Loose<HttpRouteSpec>, at: FieldPath, findings: Findings): void {
  if (route.rewrite?.authority === undefined) return;
  const names = Object.keys({ ...route.headers?.request?.add, ...route.headers?.request?.set });
  if (names.some((name) => [":authority", "host"].includes(name.toLowerCase())))
    findings.error([...at, "rewrite", "authority"], "is also set among the request's headers: write it once");
}

const LARGE_BODY_BYTES = 100 * 1_024;

/** Istio's bounds: every proxy holds the body in its configuration. */
function checkBody(route: Loose<HttpRouteSpec>, at: FieldPath, findings: Findings): void {
  const body = route.directResponse?.body;
  const path = [...at, "directResponse", "body"];
  if (body?.bytes !== undefined && !/^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,3}={0,2})?$/.test(body.bytes))
    findings.error([...path, "bytes"], "is not base64");
  const size =
    body?.bytes === undefined ? Buffer.byteLength(body?.string ?? "") : Buffer.byteLength(body.bytes, "base64");
  if (size > MAX_DIRECT_RESPONSE_BYTES) findings.error(path, "is larger than 1 MiB");
  else if (size > LARGE_BODY_BYTES) findings.warn(path, "is larger than 100 KiB: every proxy keeps it in its routes");
}

function checkMatch(match: Loose<HttpMatchSpec>, at: FieldPath, findings: Findings): void {
  for (const field of ["scheme", "method", "authority"] as const) {
    if (match[field]?.prefix === "") findings.error([...at, field, "prefix"], "must not be empty");
  }
  for (const field of ["headers", "withoutHeaders", "queryParams"] as const) {
    eachEntry(match[field], [...at, field], (name, value, path) => {
      if (field !== "queryParams" && name.startsWith("@")) return checkClaim(name, path, findings);
      if (field !== "queryParams")
        report(findings, path, PSEUDO_HEADERS.has(name.toLowerCase()) ? undefined : tokenFault(name));
      if (name === "") findings.error(path, "must have a name");
      if (value.prefix === "") findings.error([...path, "prefix"], "must not be empty");
    });
  }
  each(match.gateways, [...at, "gateways"], (gateway, path) => report(findings, path, gatewayNameFault(gateway)));
  if (match.sourceNamespace !== undefined)
    report(findings, [...at, "sourceNamespace"], dnsLabelFault(match.sourceNamespace));
}

function checkClaim(name: string, at: FieldPath, findings: Findings): void {
  const meant = claimHeader(name);
  if (typeof meant !== "object")
    return findings.error(at, `must be @request.auth.claims.NAME or @request.auth.claims[NAME], not ${quote(name)}`);
  findings.warn(
    at,
    "is known only where a filter has verified the request's token: " +
      "RequestAuthentication is not supported yet, so the claim counts as missing",
  );
}

function checkDestinations(route: Loose<HttpRouteSpec>, at: FieldPath, findings: Findings): void {
  checkTargets(route.route, [...at, "route"], findings);
  each(route.route, [...at, "route"], (target, path) =>
    checkHeaderOperations(target.headers, [...path, "headers"], findings),
  );
  checkMirrors(route, at, findings);
}

function checkMirrors(route: Loose<HttpRouteSpec>, at: FieldPath, findings: Findings): void {
  if (route.mirror !== undefined && route.mirrors !== undefined)
    findings.error([...at, "mirrors"], "cannot stand beside mirror");
  if (route.mirror !== undefined) checkDestination(route.mirror, [...at, "mirror"], findings);
  each(route.mirrors, [...at, "mirrors"], (mirror, path) =>
    checkDestination(mirror.destination, [...path, "destination"], findings),
  );
  for (const field of ["mirrorPercentage", "mirrorPercent"] as const) {
    if (route[field] !== undefined && route.mirror === undefined)
      findings.warn([...at, field], "has no effect without mirror");
  }
}

/** Generation stops at the first catch-all: what stands after it is dead text. */
function warnUnreachable(routes: Loose<VirtualServiceSpec>["http"], at: FieldPath, findings: Findings): void {
  const first = routes?.findIndex((route) => route !== undefined && catchesAll(route)) ?? -1;
  // A rule with a fault may have lost the very field that narrows it.
  if (first < 0 || findings.failedUnder([...at, first])) return;
  each(routes, at, (_route, path, index) => {
    if (index > first) findings.warn(path, `is never reached: http[${first}] takes every request`);
  });
}

function catchesAll(route: Loose<HttpRouteSpec>): boolean {
  // Its delegate may have routes for some requests only.
  if (route.delegate !== undefined) return false;
  if (route.match === undefined || route.match.length === 0) return true;
  return route.match.some((match) => {
    if (match === undefined) return false;
    const { name: _name, uri, ignoreUriCase: _case, ...rest } = match;
    const everyPath = uri === undefined || uri.prefix === "/" || uri.prefix === "" || uri.regex === ".*";
    return everyPath && Object.keys(rest).length === 0;
  });
}
