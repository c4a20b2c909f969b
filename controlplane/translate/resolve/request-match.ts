// One HTTPMatchRequest in the IR's words, after the conditions that are known before any request: where it comes from
// and to which port.
import type { HttpMatchSpec } from "../../model/kinds/virtual-service.ts";
import { type Labels, labelsMatch } from "../../model/labels.ts";
import type { StringMatch as StringMatchSpec } from "../../model/schema.ts";
import { claimHeader } from "../../model/sticky.ts";
import type { NamedMatch, PathMatch, RequestMatch, StringMatch } from "../ir/routes.ts";

/** Who routes, and for which port. */
export interface RouteContext {
  readonly namespace: string;
  readonly labels: Labels;
  /** `mesh` for sidecars, `<namespace>/<name>` of the Gateway for gateways. */
  readonly gateway: string;
  readonly port: number;
}

/** A match that every request passes. */
export const matchAll: RequestMatch = { ignoreCase: false, headers: [], withoutHeaders: [], queryParameters: [] };

/**
 * Returns whether a match can apply for this client at all. With `gateways` set, sourceLabels and sourceNamespace do
 * not count. `owner` is the VirtualService's namespace, in which short gateway names stand.
 */
export function appliesHere(spec: HttpMatchSpec, context: RouteContext, owner: string): boolean {
  if (spec.port !== undefined && spec.port !== context.port) return false;
  if (spec.gateways !== undefined && spec.gateways.length > 0)
    return spec.gateways.some((name) => qualifyGateway(name, owner) === context.gateway);
  return (
    labelsMatch(spec.sourceLabels, context.labels) &&
    (spec.sourceNamespace === undefined || spec.sourceNamespace === context.namespace)
  );
}

/** Returns `<namespace>/<name>` of a gateway as a VirtualService in `owner` names it; `mesh` stays. */
export function qualifyGateway(name: string, owner: string): string {
  if (name.startsWith("./")) return `${owner}${name.slice(1)}`;
  if (name === "mesh" || name.includes("/")) return name;
  const [short, namespace] = name.split(".");
  // Istio's older form: a gateway's full DNS-like name.
  return namespace === undefined ? `${owner}/${name}` : `${namespace}/${short}`;
}

/** Returns the conditions on requests; names of headers in lower case, every list by name. */
export function resolveRequestMatch(spec: HttpMatchSpec): RequestMatch {
  const path = spec.uri && pathMatch(spec.uri);
  const claims = claimMatches(spec.headers);
  const withoutClaims = claimMatches(spec.withoutHeaders);
  return {
    ...(path && { path }),
    ignoreCase: spec.ignoreUriCase === true,
    ...(spec.method && { method: stringMatch(spec.method) }),
    ...(spec.authority && { authority: stringMatch(spec.authority) }),
    ...(spec.scheme && { scheme: stringMatch(spec.scheme) }),
    headers: namedMatches(spec.headers, true),
    withoutHeaders: namedMatches(spec.withoutHeaders, true),
    queryParameters: namedMatches(spec.queryParams, false),
    ...(claims.length > 0 && { claims }),
    ...(withoutClaims.length > 0 && { withoutClaims }),
  };
}

/** Returns whether every request passes: nothing after such a match can be reached. */
export function isCatchAll(match: RequestMatch): boolean {
  const { path } = match;
  const anyPath =
    path === undefined ||
    (path.kind === "prefix" && (path.value === "/" || path.value === "")) ||
    (path.kind === "regex" && (path.value === ".*" || path.value === "*"));
  return (
    anyPath &&
    match.method === undefined &&
    match.authority === undefined &&
    match.scheme === undefined &&
    !looksAtHeaders(match) &&
    match.queryParameters.length === 0
  );
}

/** Returns whether a match looks at headers, cookies or claims, for which the router filter is there. */
export function looksAtHeaders(match: RequestMatch): boolean {
  return (
    match.headers.length > 0 ||
    match.withoutHeaders.length > 0 ||
    match.claims !== undefined ||
    match.withoutClaims !== undefined
  );
}

function namedMatches(
  specs: Readonly<Record<string, StringMatchSpec>> | undefined,
  lowerCase: boolean,
): readonly NamedMatch[] {
  return Object.entries(specs ?? {})
    .filter(([name]) => !lowerCase || claimHeader(name) === undefined)
    .map(([name, spec]) => ({ name: lowerCase ? name.toLowerCase() : name, match: stringMatch(spec) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Names of claims have case, unlike those of headers. */
function claimMatches(specs: Readonly<Record<string, StringMatchSpec>> | undefined): readonly NamedMatch[] {
  return Object.entries(specs ?? {})
    .flatMap(([name, spec]) => {
      const meant = claimHeader(name);
      return typeof meant === "object" ? [{ name: meant.claim, match: stringMatch(spec) }] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function pathMatch(spec: StringMatchSpec): PathMatch | undefined {
  const match = stringMatch(spec);
  return match.kind === "present" ? undefined : match;
}

/** Returns a condition on text; one that says nothing is for any text. */
export function stringMatch(spec: StringMatchSpec): StringMatch {
  if (spec.exact !== undefined) return { kind: "exact", value: spec.exact };
  if (spec.prefix !== undefined) return { kind: "prefix", value: spec.prefix };
  return spec.regex === undefined ? { kind: "present" } : { kind: "regex", value: spec.regex };
}
