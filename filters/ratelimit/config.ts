// consumes: the plugin's JSON configuration (config.schema.json)
// produces: compiled limits, or the first mistake with its path (kept in the document)
// never does: accept numbers whose product would overflow
import { Json, JsonDocument } from "as-proxy-wasm-sdk";
import { Condition } from "../policy/authorization-condition";
import { Subject } from "../policy/authorization-request";
import { Rate } from "../policy/gcra";
import { createWildcardMatch } from "../policy/string-match";
import { sharedSecret } from "./buckets";
import { parseGlobal } from "./config-global";
import { parseCost, parseKeyPart } from "./config-key";
import { parseMatch } from "./config-match";
import { parseRefusal } from "./config-refusal";
import { Bucket, FailureMode, Limit, LimitHeaders, Limits, Override } from "./limit";

const NO_NAME = new StaticArray<u8>(0);
const MOST: i64 = 1_000_000_000_000;

/** Returns the limits of a configuration. Look at its document's `error` before using them. */
export function parseLimits(configuration: Json): Limits {
  const limits = new Limits();
  const document = configuration.document!;
  const root = configuration.object().only(["limits", "headers"]);
  limits.headers = parseHeaders(root.get("headers"));
  const list = root.get("limits").list();
  const names: string[] = [];
  const secret = sharedSecret();
  for (let i = 0; i < list.length; i++) {
    const json = list.at(i);
    const limit = parseLimit(json, document, secret);
    if (names.includes(limit.bucket.name)) json.get("name").failWith("used by another limit");
    names.push(limit.bucket.name);
    if (limit.global != null) limits.hasGlobal = true;
    limits.mostParts = max(limits.mostParts, limit.key.length);
    limits.list.push(limit);
  }
  return limits;
}

function parseHeaders(headers: Json): LimitHeaders {
  const style = headers.isMissing ? "none" : headers.string();
  if (style == "draft") return LimitHeaders.Draft;
  if (style == "draft-03") return LimitHeaders.Draft03;
  if (style == "legacy") return LimitHeaders.Legacy;
  if (style != "none") headers.fail("none, draft, draft-03 or legacy");
  return LimitHeaders.None;
}

function parseLimit(json: Json, document: JsonDocument, secret: u64): Limit {
  json
    .object()
    .only([
      "name",
      "match",
      "key",
      "tokens",
      "intervalMs",
      "burst",
      "overrides",
      "cost",
      "shadow",
      "global",
      "refusal",
    ]);
  const name = json.get("name").string();
  if (document.ok && name.length == 0) json.get("name").fail("a name");
  const global = parseGlobal(json.get("global"), name, json.get("key").length == 0);
  const key = json.get("key").list();
  const usesBucket = global == null || global.failure == FailureMode.Local;
  const limit = new Limit(
    usesBucket ? parseBucket(json, name, "", key.length > 0, document, secret) : noBucket(json, name, document, secret),
    document.keepIn,
  );
  limit.global = global;
  const match = json.get("match");
  if (!match.isMissing) parseMatch(match, limit.match);
  for (let i = 0; i < key.length; i++) limit.key.push(parseKeyPart(key.at(i)));
  parseOverrides(json.get("overrides").list(), limit, document, secret);
  limit.cost = parseCost(json.get("cost"));
  limit.shadow = json.get("shadow").booleanOr(false);
  parseRefusal(json.get("refusal"), limit);
  if (usesBucket) checkCost(json.get("cost"), limit);
  let asText = global != null;
  for (let i = 0; i < limit.overrides.length; i++) if (limit.overrides[i].values.length > 0) asText = true;
  for (let i = 0; i < limit.key.length; i++) limit.key[i].asText = asText;
  return limit;
}

/** A limit that only a service knows has no bucket here: numbers would be ignored, so they are refused. */
function noBucket(json: Json, name: string, document: JsonDocument, secret: u64): Bucket {
  const fields: string[] = ["tokens", "intervalMs", "burst", "overrides"];
  for (let i = 0; i < fields.length; i++) {
    const field = json.get(fields[i]);
    if (field.isPresent && !(field.isArray && field.length == 0))
      json
        .get(fields[i])
        .failWith('the rate limit service decides this limit: leave this out, or say "failure": "local"');
  }
  return bucketOf(name, "", true, new Rate(1, 1, 1), document, secret);
}

function checkCost(json: Json, limit: Limit): void {
  const cost = max(limit.cost.most, limit.cost.otherwise);
  if (cost > limit.bucket.rate.burst) json.failWith("is over the bucket's size: nothing would ever be admitted");
  for (let i = 0; i < limit.overrides.length; i++) {
    if (cost > limit.overrides[i].bucket.rate.burst)
      json.failWith("is over the bucket size of override " + limit.overrides[i].bucket.name);
  }
}

function parseBucket(
  json: Json,
  limitName: string,
  overrideName: string,
  keyed: bool,
  document: JsonDocument,
  secret: u64,
): Bucket {
  const tokens = json.get("tokens").integer(1, MOST);
  const intervalNs = json.get("intervalMs").integer(1, MOST) * 1_000_000;
  const burst = json.get("burst").integerOr(tokens, 1, MOST);
  const fits = Rate.fits(tokens, intervalNs, burst);
  if (!fits) json.failWith("the bucket would take over a year to fill");
  return bucketOf(
    limitName,
    overrideName,
    keyed,
    fits ? new Rate(tokens, intervalNs, burst) : new Rate(1, 1, 1),
    document,
    secret,
  );
}

/**
 * Names hold slashes: what an override's state is kept under has a NUL between the two, so that no limit can be called
 * like another one's override.
 */
function bucketOf(
  limitName: string,
  overrideName: string,
  keyed: bool,
  rate: Rate,
  document: JsonDocument,
  secret: u64,
): Bucket {
  const isOverride = overrideName.length > 0;
  const sharedKey = document.keepIn.keepString(
    "scrim.ratelimit/bucket/" + limitName + (isOverride ? "\0" + overrideName : ""),
  );
  const name = isOverride ? limitName + "/" + overrideName : limitName;
  return new Bucket(name, document.keepIn.keepString(quoted(name)), keyed, rate, sharedKey, secret);
}

/** A structured field's string (RFC 9651): printable ASCII; anything else becomes `?`. */
function quoted(name: string): string {
  let out = '"';
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) out += "\\";
    out += unit < 0x20 || unit > 0x7e ? "?" : String.fromCharCode(unit);
  }
  return out + '"';
}

function parseOverrides(list: Json, limit: Limit, document: JsonDocument, secret: u64): void {
  const names: string[] = [];
  for (let i = 0; i < list.length; i++) {
    const json = list.at(i).object().only(["name", "principals", "values", "perKey", "tokens", "intervalMs", "burst"]);
    const name = json.get("name").string();
    if (document.ok && name.length == 0) json.get("name").fail("a name");
    if (names.includes(name)) json.get("name").failWith("used by another override");
    names.push(name);
    const perKey = json.get("perKey").booleanOr(false);
    if (perKey && limit.key.length == 0) json.get("perKey").failWith("the limit has no key");
    const own = new Override(parseBucket(json, limit.bucket.name, name, perKey, document, secret));
    parsePrincipals(json.get("principals").list(), own);
    parseValues(json.get("values").list(), own, limit.key.length);
    if (own.principals == null && own.values.length == 0) json.fail("principals or values");
    limit.overrides.push(own);
  }
}

function parsePrincipals(list: Json, own: Override): void {
  if (list.length == 0) return;
  const principals = new Condition(Subject.Principal, false, NO_NAME);
  for (let i = 0; i < list.length; i++) principals.strings.push(createWildcardMatch(list.at(i).string(), false));
  own.principals = principals;
}

function parseValues(list: Json, own: Override, parts: i32): void {
  if (list.isMissing) return;
  if (list.length != parts) list.fail("one pattern for each part of the key (" + parts.toString() + ")");
  for (let i = 0; i < list.length; i++) {
    const pattern = list.at(i).string();
    own.values.push(pattern == "*" ? null : createWildcardMatch(pattern, false));
  }
}
