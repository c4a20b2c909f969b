// The rules by which the router filter decides for one virtual host: JSON in the host's metadata, read by
// filters/router.
import { createHash } from "node:crypto";
import type { matchSchema, ruleSchema, rulesSchema } from "../../../filters/router/rules.schema.ts";
import type { JsonObject } from "../../../protos/build/envoy.ts";
import type { SpecFrom } from "../../model/schema.ts";
import type { NamedMatch, RequestMatch, Route, StringMatch, Target } from "../ir/routes.ts";
import { upstreamName } from "./names.ts";

type RouterRule = SpecFrom<typeof ruleSchema>;
type Conditions = NonNullable<RouterRule["match"]>;
/** Conditions on something that has a name. */
type MapField = "headers" | "withoutHeaders" | "queryParams" | "claims" | "withoutClaims";

/** Metadata namespace in which the filter looks. */
export const ROUTER_METADATA = "scrim.router";

/**
 * Returns `{ rules, id }`: the whole match list of a host, in order, and a name for exactly this content so that it is
 * parsed once.
 */
export function buildRouterRules(routes: readonly Route[]): JsonObject {
  const configuration: SpecFrom<typeof rulesSchema> = { routes: mergeRuns(keyed(routes)).map(ruleOf) };
  const rules = JSON.stringify(configuration);
  return { rules, id: createHash("sha256").update(rules).digest("hex").slice(0, 32) };
}

/**
 * Returns the routes that the filter may choose, each under its key: matches that lead to one and the same share a
 * route, shares of a sticky route have one each.
 */
export function choosableRoutes(routes: readonly Route[]): readonly Route[] {
  const once = new Map(keyed(routes).map((route) => [route.key, route]));
  return [...once.values()].flatMap((route) => [
    ...sharesOf(route).map(({ key, target }) => ({
      ...route,
      key,
      action: { ...forwardOf(route), targets: [target] },
    })),
    route,
  ]);
}

/** Gives routes that differ in nothing but their conditions the key of the first of them. */
function keyed(routes: readonly Route[]): readonly Route[] {
  const keys = new Map<string, string>();
  const actions = new Map<Route["action"], string>();
  return routes.map((route) => {
    const { path, ignoreCase } = route.match;
    let action = actions.get(route.action);
    if (action === undefined) actions.set(route.action, (action = JSON.stringify(route.action)));
    // A rewrite replaces what the path's own match matched: paths stay apart.
    const effect = JSON.stringify({ ...route, key: "", match: { path, ignoreCase }, action });
    const key = keys.get(effect);
    if (key === undefined) keys.set(effect, route.key);
    return key === undefined ? route : { ...route, key };
  });
}

/** One rule to be: a route, and the values of the one header in which it stands for several. */
interface Rule {
  readonly route: Route;
  readonly several?: { readonly at: number; readonly values: readonly string[] };
}

/**
 * Joins neighbours that only compare one header with different exact values: among those, order does not matter. Ten
 * thousand tenants on five subsets become five rules of two thousand values each.
 */
function mergeRuns(routes: readonly Route[]): readonly Rule[] {
  const rules: Rule[] = [];
  for (let from = 0; from < routes.length; ) {
    const { at, to } = runAt(routes, from);
    rules.push(
      ...(at === undefined ? routes.slice(from, to).map((route) => ({ route })) : mergeRun(routes.slice(from, to), at)),
    );
    from = to;
  }
  return rules;
}

/** The longest run that begins at `from`: which of its headers differs, and where it ends. */
function runAt(routes: readonly Route[], from: number): { readonly at: number | undefined; readonly to: number } {
  const first = routes[from]?.match;
  for (const at of first?.headers.keys() ?? []) {
    const shape = first && shapeWithout(first, at);
    let to = from + 1;
    for (
      let next = routes[to];
      shape !== undefined && next !== undefined && shapeWithout(next.match, at) === shape;
      next = routes[to]
    )
      to++;
    if (to > from + 1) return { at, to };
  }
  return { at: undefined, to: from + 1 };
}

/** Everything but the value of the header at `at`; undefined when it is not compared exactly. */
function shapeWithout(match: RequestMatch, at: number): string | undefined {
  const header = match.headers[at];
  if (header?.match.kind !== "exact" || header.match.value.includes("\n")) return undefined;
  return JSON.stringify({
    ...match,
    headers: match.headers.map((other, index) => (index === at ? other.name : other)),
  });
}

/** Of two routes for one value the first wins, and the second is never reached. */
function mergeRun(run: readonly Route[], at: number): readonly Rule[] {
  const seen = new Set<string>();
  const merged = new Map<string, { readonly route: Route; readonly values: string[] }>();
  for (const route of run) {
    const match = route.match.headers[at]?.match;
    if (match?.kind !== "exact" || seen.has(match.value)) continue;
    seen.add(match.value);
    const known = merged.get(route.key);
    if (known === undefined) merged.set(route.key, { route, values: [match.value] });
    else known.values.push(match.value);
  }
  return [...merged.values()].map(({ route, values }) =>
    values.length === 1 ? { route } : { route, several: { at, values } },
  );
}

function ruleOf({ route, several }: Rule): RouterRule {
  const { key, match, sticky } = route;
  const shares = sharesOf(route).map(({ key: shareKey, id, target }) => ({ key: shareKey, id, weight: target.weight }));
  return {
    key,
    ...(sticky && shares.length > 0 && { split: { by: sticky.by, salt: sticky.salt, shares } }),
    match: {
      ...(match.path && { uri: stringMatch(match.path) }),
      ...(match.ignoreCase && { ignoreUriCase: true }),
      ...(match.method && { method: stringMatch(match.method) }),
      ...(match.authority && { authority: stringMatch(match.authority) }),
      ...(match.scheme && { scheme: stringMatch(match.scheme) }),
      ...named("headers", match.headers, several),
      ...named("withoutHeaders", match.withoutHeaders),
      ...named("queryParams", match.queryParameters),
      ...named("claims", match.claims ?? []),
      ...named("withoutClaims", match.withoutClaims ?? []),
    },
  };
}

interface Share {
  readonly key: string;
  /** What keeps its requests wherever it stands: its upstream's name. */
  readonly id: string;
  readonly target: Target;
}

function sharesOf(route: Route): readonly Share[] {
  if (route.sticky === undefined || route.action.kind !== "forward" || route.action.targets.length < 2) return [];
  const ids = new Map<string, number>();
  return route.action.targets.map((target, index) => {
    const name = upstreamName(target.upstream);
    const before = ids.get(name) ?? 0;
    ids.set(name, before + 1);
    return { key: `${route.key}/${index}`, id: before === 0 ? name : `${name}#${before}`, target };
  });
}

function forwardOf(route: Route): Extract<Route["action"], { kind: "forward" }> {
  if (route.action.kind !== "forward") throw new Error(`route ${route.key} has shares and does not forward`);
  return route.action;
}

function named(field: MapField, matches: readonly NamedMatch[], several?: Rule["several"]): Conditions {
  if (matches.length === 0) return {};
  return {
    [field]: Object.fromEntries(
      matches.map(({ name, match }, index) => [
        name,
        index === several?.at ? { lines: several.values.join("\n") } : stringMatch(match),
      ]),
    ),
  };
}

function stringMatch(match: StringMatch): SpecFrom<typeof matchSchema> {
  return match.kind === "present" ? { present: true } : { [match.kind]: match.value };
}
