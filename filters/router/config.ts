// consumes: the JSON of one virtual host's match list (rules.schema.json)
// produces: a compiled table, or the first mistake with its path (kept in the document)
// never does: drop a rule or condition it does not understand
import { Json, JsonDocument } from "as-proxy-wasm-sdk";
import { spanOf, utf8, viewOf } from "../policy/bytes";
import { parseClaimKey } from "../policy/jwt-claims";
import { ClaimMatch, NamedMatch } from "../policy/route-condition";
import { RouteRule, RouteTable } from "../policy/route-match";
import { planIndexes } from "../policy/route-plan";
import { StickyKey, StickyShare, StickySplit } from "../policy/sticky";
import { createLinesMatch, createRegexMatch, MatchKind, StringMatch } from "../policy/string-match";

const MATCH_FIELDS: string[] = [
  "uri",
  "ignoreUriCase",
  "method",
  "authority",
  "scheme",
  "headers",
  "withoutHeaders",
  "queryParams",
  "claims",
  "withoutClaims",
];
const KEY_FIELDS: string[] = ["header", "cookie", "query", "claim", "source"];

/** Returns the table of a match list. Look at `document.error` before using it. */
export function parseRoutes(document: JsonDocument): RouteTable {
  const table = new RouteTable();
  const root = document.root.object().only(["routes"]);
  const list = root.get("routes").list();
  for (let i = 0; i < list.length; i++) table.rules.push(parseRule(list.at(i), table));
  planIndexes(table);
  return table;
}

function parseRule(json: Json, table: RouteTable): RouteRule {
  json.object().only(["key", "match", "inside", "split"]);
  const key = json.get("key").string();
  if (key.length == 0) json.get("key").fail("a key that is not empty");
  const rule = new RouteRule(utf8(key));
  rule.inside = json.get("inside").booleanOr(false);
  if (!json.get("split").isMissing) parseSplit(rule, json.get("split"), table);
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
  addParameters(rule.queryParams, match.get("queryParams"), table);
  addClaims(rule.claims, match.get("claims"), table, false);
  addClaims(rule.claims, match.get("withoutClaims"), table, true);
  return rule;
}

/** By what a request's share is drawn, and the shares. */
function parseSplit(rule: RouteRule, json: Json, table: RouteTable): void {
  json.object().only(["by", "salt", "shares"]);
  parseSplitKey(rule, json.get("by"), table);
  const split = new StickySplit(viewOf(utf8(json.get("salt").string())));
  const shares = json.get("shares").list();
  if (shares.length == 0) shares.fail("at least one share");
  for (let i = 0; i < shares.length; i++) {
    const share = shares.at(i).object().only(["key", "id", "weight"]);
    const weight = share.get("weight").number();
    if (!(weight > 0)) share.get("weight").fail("a number above 0");
    split.shares.push(new StickyShare(utf8(share.get("key").string()), utf8(share.get("id").string()), weight));
  }
  rule.split = split;
}

function parseSplitKey(rule: RouteRule, json: Json, table: RouteTable): void {
  json.object().only(KEY_FIELDS);
  if (json.length != 1) return json.fail("exactly one of " + KEY_FIELDS.join(", "));
  const field = json.at(0);
  const name = field.string();
  if (field.name == "header") {
    rule.splitBy = StickyKey.Header;
    rule.splitIndex = table.internHeader(utf8(name.toLowerCase()));
  } else if (field.name == "claim") {
    rule.splitBy = StickyKey.Claim;
    rule.splitIndex = parseClaim(field, name, table);
  } else if (field.name == "source") {
    rule.splitBy = StickyKey.SourceIp;
    if (name != "ip") field.fail("ip");
  } else {
    rule.splitBy = field.name == "cookie" ? StickyKey.Cookie : StickyKey.Query;
    rule.splitName = utf8(name);
  }
  if (name.length == 0) field.fail("a name");
}

/** Returns the table's index of a claim written `[name]` or `[name][inner name]`. */
function parseClaim(json: Json, key: string, table: RouteTable): i32 {
  const result = parseClaimKey(key);
  const path = result.path;
  if (path != null) return table.internClaim(key, path);
  json.failWith(result.error);
  return 0;
}

function parseOptional(json: Json, fold: bool): StringMatch | null {
  return json.isMissing ? null : parseMatch(json, fold);
}

/**
 * A match is an object with exactly one of exact, prefix, regex, lines; `{}` and `{"present": true}` ask for presence
 * alone.
 */
function parseMatch(json: Json, fold: bool): StringMatch {
  json.object().only(["exact", "prefix", "regex", "present", "lines"]);
  if (json.length > 1) json.fail("only one of exact, prefix, regex, present, lines");
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
  const lines = json.get("lines");
  if (!lines.isMissing) {
    if (!lines.isString) lines.fail("a string");
    return createLinesMatch(spanOf(lines.text.ptr, lines.text.length));
  }
  const present = json.get("present");
  if (!present.isMissing && !present.boolean()) present.fail("true");
  return new StringMatch(MatchKind.Present, "", false, null);
}

/** Adds the conditions of a map from header names, which are case-insensitive, to matches. */
function addNamed(to: NamedMatch[], json: Json, table: RouteTable, without: bool): void {
  if (json.isMissing) return;
  json.object();
  for (let i = 0; i < json.length; i++) {
    const entry = json.at(i);
    const name = utf8(entry.name.toLowerCase());
    const match = parseMatch(entry, false);
    to.push(new NamedMatch(table.internHeader(name), name, match, without, match.kind == MatchKind.Present));
  }
}

function addParameters(to: NamedMatch[], json: Json, table: RouteTable): void {
  if (json.isMissing) return;
  json.object();
  for (let i = 0; i < json.length; i++) {
    const name = utf8(json.at(i).name);
    const match = parseMatch(json.at(i), false);
    to.push(new NamedMatch(table.internParameter(name), name, match, false, match.kind == MatchKind.Present));
  }
}

function addClaims(to: ClaimMatch[], json: Json, table: RouteTable, without: bool): void {
  if (json.isMissing) return;
  json.object();
  for (let i = 0; i < json.length; i++)
    to.push(new ClaimMatch(parseClaim(json.at(i), json.at(i).name, table), parseMatch(json.at(i), false), without));
}
