// The rules by which the router filter decides for one virtual host: JSON in the host's metadata, read by filters/router.
import { createHash } from "node:crypto";
import type { JsonObject } from "../../../protos/build/envoy.ts";
import type { NamedMatch, Route, StringMatch } from "../ir/routes.ts";

/** Metadata namespace in which the filter looks. */
export const ROUTER_METADATA = "scrim.router";

/** Returns `{ rules, id }`: the whole match list of a host, in order, and a name for exactly this content so that it is parsed once. */
export function buildRouterRules(routes: readonly Route[]): JsonObject {
  const rules = JSON.stringify({ routes: routes.map(ruleOf) });
  return { rules, id: createHash("sha256").update(rules).digest("hex").slice(0, 32) };
}

function ruleOf({ key, match }: Route): JsonObject {
  return {
    key,
    match: {
      ...(match.path && { uri: stringMatch(match.path) }),
      ...(match.ignoreCase && { ignoreUriCase: true }),
      ...(match.method && { method: stringMatch(match.method) }),
      ...(match.authority && { authority: stringMatch(match.authority) }),
      ...(match.scheme && { scheme: stringMatch(match.scheme) }),
      ...named("headers", match.headers),
      ...named("withoutHeaders", match.withoutHeaders),
      ...named("queryParams", match.queryParameters),
    },
  };
}

function named(field: string, matches: readonly NamedMatch[]): JsonObject {
  return matches.length === 0 ? {} : { [field]: Object.fromEntries(matches.map(({ name, match }) => [name, stringMatch(match)])) };
}

function stringMatch(match: StringMatch): JsonObject {
  return match.kind === "present" ? { present: true } : { [match.kind]: match.value };
}
