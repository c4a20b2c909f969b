// consumes: the JSON of one virtual host's match list (rules.schema.json)
// produces: a compiled table, or the first mistake with its path (kept in the document)
// never does: drop a rule or condition it does not understand
import { Json, JsonDocument } from "as-proxy-wasm-sdk";
import { utf8 } from "../policy/bytes";
import { NamedMatch, RouteRule, RouteTable } from "../policy/route-match";
import { createRegexMatch, MatchKind, StringMatch } from "../policy/string-match";

const MATCH_FIELDS: string[] = ["uri", "ignoreUriCase", "method", "authority", "scheme", "headers", "withoutHeaders", "queryParams"];

/** Returns the table of a match list. Look at `document.error` before using it. */
export function parseRoutes(document: JsonDocument): RouteTable {
  const table = new RouteTable();
  const root = document.root.object().only(["routes"]);
  const list = root.get("routes").list();
  for (let i = 0; i < list.length; i++) table.rules.push(parseRule(list.at(i), table));
  return table;
}

function parseRule(json: Json, table: RouteTable): RouteRule {
  json.object().only(["key", "match", "inside"]);
  const key = json.get("key").string();
  if (key.length == 0) json.get("key").fail("a key that is not empty");
  const rule = new RouteRule(utf8(key));
  rule.inside = json.get("inside").booleanOr(false);
  const match = json.get("match");
  if (match.isMissing) return rule;
  match.object().only(MATCH_FIELDS);
  const fold = match.get("ignoreUriCase").booleanOr(false);
  rule.uri = parseOptional(match.get("uri"), fold);
  rule.method = parseOptional(match.get("method"), false);
  rule.authority = parseOptional(match.get("authority"), false);
  rule.scheme = parseOptional(match.get("scheme"), false);
  addNamed(rule.headers, match.get("headers"), table, false);
  addNamed(rule.headers, match.get("withoutHeaders"), table, true);
  addNamed(rule.queryParams, match.get("queryParams"), null, false);
  return rule;
}

function parseOptional(json: Json, fold: bool): StringMatch | null {
  return json.isMissing ? null : parseMatch(json, fold);
}

/** A match is an object with exactly one of exact, prefix, regex; `{}` and `{"present": true}` ask for presence alone. */
function parseMatch(json: Json, fold: bool): StringMatch {
  json.object().only(["exact", "prefix", "regex", "present"]);
  if (json.length > 1) json.fail("only one of exact, prefix, regex, present");
  const exact = json.get("exact");
  if (!exact.isMissing) return new StringMatch(MatchKind.Exact, exact.string(), fold, null);
  const prefix = json.get("prefix");
  if (!prefix.isMissing) {
    const text = prefix.string();
    return new StringMatch(text.length == 0 ? MatchKind.Present : MatchKind.Prefix, text, fold, null);
  }
  const regex = json.get("regex");
  if (!regex.isMissing) {
    const text = regex.string();
    // Istio's users write both for "any value"; Envoy is told presence for them, and so it is here.
    if (text == ".*" || text == "*") return new StringMatch(MatchKind.Present, "", false, null);
    const result = createRegexMatch(text);
    const match = result.match;
    if (match != null) return match;
    regex.failWith(result.error);
  }
  const present = json.get("present");
  if (!present.isMissing && !present.boolean()) present.fail("true");
  return new StringMatch(MatchKind.Present, "", false, null);
}

/** Adds the conditions of a map from names to matches. Header names (a table is given) are case-insensitive, query parameters are not. */
function addNamed(to: NamedMatch[], json: Json, table: RouteTable | null, without: bool): void {
  if (json.isMissing) return;
  json.object();
  for (let i = 0; i < json.length; i++) {
    const entry = json.at(i);
    const name = utf8(table == null ? entry.name : entry.name.toLowerCase());
    const match = parseMatch(entry, false);
    const index = table == null ? -1 : table.internHeader(name);
    to.push(new NamedMatch(index, name, match, without, match.kind == MatchKind.Present));
  }
}
