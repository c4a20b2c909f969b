// Conditions on requests in Envoy's words.
import type {
  HeaderMatcher,
  MetadataMatcher,
  QueryParameterMatcher,
  RouteMatch,
  StringMatcher,
  ValueMatcher,
} from "../../../protos/build/envoy.ts";
import type { NamedMatch, RequestMatch, Route, StringMatch } from "../ir/routes.ts";

/** Filter state under which the router filter leaves the key of the route it chose. */
const CHOICE_KEY = "wasm.scrim.route";

/** Returns the match of a route that Envoy itself decides. */
export function buildNativeMatch(match: RequestMatch): RouteMatch {
  const headers = [
    ...pseudoHeader(":method", match.method),
    ...pseudoHeader(":authority", match.authority),
    ...pseudoHeader(":scheme", match.scheme),
    ...match.headers.map((header) => headerMatcher(header)),
    ...match.withoutHeaders.map(absentMatcher),
  ];
  const queryParameters = match.queryParameters.map(queryMatcher);
  const dynamicMetadata = [
    ...(match.claims ?? []).map((claim) => claimMatcher(claim, false)),
    ...(match.withoutClaims ?? []).map((claim) => claimMatcher(claim, true)),
  ];
  return {
    ...pathMatch(match),
    ...(headers.length > 0 && { headers }),
    ...(queryParameters.length > 0 && { queryParameters }),
    ...(dynamicMetadata.length > 0 && { dynamicMetadata }),
  };
}

/**
 * Returns the match of a route that the router filter has chosen or not. The path stands beside it because a rewrite
 * replaces what it matched.
 */
export function buildChosenMatch(route: Route): RouteMatch {
  return { ...pathMatch(route.match), filterState: [{ key: CHOICE_KEY, stringMatch: { exact: route.key } }] };
}

function pathMatch({ path, ignoreCase }: RequestMatch): RouteMatch {
  if (path === undefined) return { prefix: "/" };
  // Istio ignores case for exact and prefix only.
  if (path.kind === "regex") return { safeRegex: { regex: path.value === "*" ? ".*" : path.value } };
  const caseSensitive = ignoreCase ? { caseSensitive: false } : {};
  return path.kind === "exact" ? { path: path.value, ...caseSensitive } : { prefix: path.value, ...caseSensitive };
}

function pseudoHeader(name: string, match: StringMatch | undefined): readonly HeaderMatcher[] {
  return match === undefined ? [] : [headerMatcher({ name, match })];
}

function headerMatcher({ name, match }: NamedMatch): HeaderMatcher {
  return isPresence(match) ? { name, presentMatch: true } : { name, stringMatch: stringMatcher(match) };
}

/** `withoutHeaders`: a header that is not there does not match the rule, and so the request does. */
function absentMatcher(header: NamedMatch): HeaderMatcher {
  return {
    ...headerMatcher(header),
    invertMatch: true,
    ...(!isPresence(header.match) && { treatMissingHeaderAsEmpty: true }),
  };
}

/** What jwt_authn left of the token; of a list one element that matches is enough. */
function claimMatcher({ name, match }: NamedMatch, invert: boolean): MetadataMatcher {
  const path = ["payload", ...name.slice(1, -1).split("][")].map((key) => ({ key }));
  const text: ValueMatcher = { stringMatch: stringMatcher(match) };
  const value: ValueMatcher = isPresence(match)
    ? { presentMatch: true }
    : { orMatch: { valueMatchers: [text, { listMatch: { oneOf: text } }] } };
  return { filter: "envoy.filters.http.jwt_authn", path, value, ...(invert && { invert }) };
}

function queryMatcher({ name, match }: NamedMatch): QueryParameterMatcher {
  return isPresence(match) ? { name, presentMatch: true } : { name, stringMatch: stringMatcher(match) };
}

/** Any value at all will do. */
function isPresence(match: StringMatch): boolean {
  return (
    match.kind === "present" ||
    (match.kind === "regex" && (match.value === ".*" || match.value === "*")) ||
    (match.kind === "prefix" && match.value === "")
  );
}

/** Returns a condition on text. */
export function stringMatcher(match: StringMatch): StringMatcher {
  switch (match.kind) {
    case "exact":
      return { exact: match.value };
    case "prefix":
      return { prefix: match.value };
    case "regex":
      return { safeRegex: { regex: match.value } };
    case "present":
      return { prefix: "" };
  }
}
