// consumes: the plugin's JSON configuration (config.schema.json)
// produces: compiled limits, or the first mistake with its path (kept in the document)
// never does: accept numbers whose product would overflow
import { Bytes, Json, JsonDocument } from "as-proxy-wasm-sdk";
import { Clause, Condition, Subject } from "../policy/authorization";
import { hash, HASH_SEED, utf8, viewOf } from "../policy/bytes";
import { Rate, Reserve } from "../policy/gcra";
import { createWildcardMatch, MatchKind, StringMatch } from "../policy/string-match";

const NO_NAME = new StaticArray<u8>(0);
const MOST: i64 = 1_000_000_000_000;

/** What a part of a limit's key is taken from. */
export enum KeySource {
  Header,
  Principal,
  Namespace,
  Ip,
  Path,
}

/** One part of a key. */
export class KeyPart {
  constructor(
    readonly source: KeySource,
    /** The header's name, for KeySource.Header. */
    readonly name: StaticArray<u8>,
  ) {}
}

/** A bucket, or the family of buckets of a limit with a key. */
export class Bucket {
  /** What this worker holds of it; unused where the limit has a key. */
  readonly reserve: Reserve = new Reserve();
  /** Start value for the hashes of this family's keys. */
  readonly seed: u64;

  constructor(
    /** `<limit>` or `<limit>/<override>`: names the bucket in details, logs and shared data. */
    readonly name: string,
    readonly rate: Rate,
    /** The shared-data key of a bucket without key parts; lives as long as the root. */
    readonly sharedKey: Bytes,
  ) {
    this.seed = hash(viewOf(utf8(name)), HASH_SEED);
  }
}

/** Callers with a bucket of their own. */
export class Override {
  constructor(
    readonly principals: Condition,
    readonly bucket: Bucket,
  ) {}
}

/** One limit. */
export class Limit {
  match: Clause = new Clause();
  key: KeyPart[] = [];
  overrides: Override[] = [];
  cost: i64 = 1;
  shadow: bool = false;

  constructor(readonly bucket: Bucket) {}
}

/** Which headers tell the client about its limit when it is over. */
export enum LimitHeaders {
  None,
  /** ratelimit-limit, ratelimit-remaining, ratelimit-reset. */
  Draft,
  /** The same with x- in front. */
  Legacy,
}

/** Everything a configuration says. */
export class Limits {
  list: Limit[] = [];
  headers: LimitHeaders = LimitHeaders.None;
}

/** Returns the limits of a configuration. Look at its document's `error` before using them. */
export function parseLimits(configuration: Json): Limits {
  const limits = new Limits();
  const document = configuration.document!;
  const root = configuration.object().only(["limits", "headers"]);
  const headers = root.get("headers");
  const style = headers.isMissing ? "none" : headers.string();
  if (style == "draft") limits.headers = LimitHeaders.Draft;
  else if (style == "legacy") limits.headers = LimitHeaders.Legacy;
  else if (style != "none") headers.fail("none, draft or legacy");
  const list = root.get("limits").list();
  const names: string[] = [];
  for (let i = 0; i < list.length; i++) {
    const json = list.at(i);
    const limit = parseLimit(json, document);
    if (names.includes(limit.bucket.name)) json.get("name").failWith("used by another limit");
    names.push(limit.bucket.name);
    limits.list.push(limit);
  }
  return limits;
}

function parseLimit(json: Json, document: JsonDocument): Limit {
  json.object().only(["name", "match", "key", "tokens", "intervalMs", "burst", "overrides", "cost", "shadow"]);
  const name = json.get("name").string();
  if (document.ok && name.length == 0) json.get("name").fail("a name");
  const limit = new Limit(parseBucket(json, name, document));
  const match = json.get("match");
  if (!match.isMissing) parseMatch(match, limit.match);
  const key = json.get("key").list();
  for (let i = 0; i < key.length; i++) limit.key.push(parseKeyPart(key.at(i)));
  const overrides = json.get("overrides").list();
  for (let i = 0; i < overrides.length; i++) limit.overrides.push(parseOverride(overrides.at(i), name, document));
  limit.cost = json.get("cost").integerOr(1, 1, MOST);
  limit.shadow = json.get("shadow").booleanOr(false);
  if (limit.cost > limit.bucket.rate.burst) json.get("cost").failWith("is over the bucket's size: nothing would ever be admitted");
  for (let i = 0; i < limit.overrides.length; i++) {
    if (limit.cost > limit.overrides[i].bucket.rate.burst) json.get("cost").failWith("is over an override's bucket size");
  }
  return limit;
}

function parseBucket(json: Json, name: string, document: JsonDocument): Bucket {
  const tokens = json.get("tokens").integer(1, MOST);
  const intervalNs = json.get("intervalMs").integer(1, MOST) * 1_000_000;
  const burst = json.get("burst").integerOr(tokens, 1, MOST);
  const fits = Rate.fits(tokens, intervalNs, burst);
  if (!fits) json.failWith("the bucket would take over a year to fill");
  const rate = fits ? new Rate(tokens, intervalNs, burst) : new Rate(1, 1, 1);
  return new Bucket(name, rate, document.keepIn.keepString("scrim.ratelimit/bucket/" + name));
}

function parseOverride(json: Json, limitName: string, document: JsonDocument): Override {
  json.object().only(["name", "principals", "tokens", "intervalMs", "burst"]);
  const principals = new Condition(Subject.Principal, false, NO_NAME);
  const list = json.get("principals").list();
  if (list.length == 0) json.get("principals").fail("at least one principal");
  for (let i = 0; i < list.length; i++) principals.strings.push(createWildcardMatch(list.at(i).string(), false));
  return new Override(principals, parseBucket(json, limitName + "/" + json.get("name").string(), document));
}

function parseMatch(json: Json, clause: Clause): void {
  json.object().only(["methods", "paths", "hosts"]);
  addStrings(clause, json.get("methods").list(), Subject.Method);
  addStrings(clause, json.get("paths").list(), Subject.Path);
  addStrings(clause, json.get("hosts").list(), Subject.Host);
}

function addStrings(clause: Clause, list: Json, subject: Subject): void {
  if (list.length == 0) return;
  const condition = new Condition(subject, false, NO_NAME);
  for (let i = 0; i < list.length; i++) {
    const value = list.at(i).string();
    if (value == "*") condition.strings.push(new StringMatch(MatchKind.Present, "", false, null));
    else if (subject == Subject.Path) {
      const fault = condition.addPath(value);
      if (fault.length > 0) list.at(i).failWith(fault);
    }
    else condition.strings.push(createWildcardMatch(value, subject == Subject.Host));
  }
  clause.conditions.push(condition);
}

function parseKeyPart(json: Json): KeyPart {
  json.object().only(["header", "source", "path"]);
  if (json.length != 1) json.fail("exactly one of header, source, path");
  const header = json.get("header");
  if (!header.isMissing) {
    const name = header.string();
    if (name.length == 0) header.fail("a header's name");
    return new KeyPart(KeySource.Header, utf8(name.toLowerCase()));
  }
  const source = json.get("source");
  if (!source.isMissing) {
    const text = source.string();
    if (text == "principal") return new KeyPart(KeySource.Principal, NO_NAME);
    if (text == "namespace") return new KeyPart(KeySource.Namespace, NO_NAME);
    if (text != "ip") source.fail("principal, namespace or ip");
    return new KeyPart(KeySource.Ip, NO_NAME);
  }
  if (!json.get("path").boolean()) json.get("path").fail("true");
  return new KeyPart(KeySource.Path, NO_NAME);
}
