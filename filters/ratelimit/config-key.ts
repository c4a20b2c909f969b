// The parts of a limit's key, and what a request costs, as the configuration writes them.
import { Json } from "as-proxy-wasm-sdk";
import { utf8 } from "../policy/bytes";
import { ClaimPath } from "../policy/jwt-claims";
import { compileTemplate } from "../policy/path-template";
import { Cost, KeyPart, KeySource } from "./limit";

const SOURCES: string[] = ["principal", "namespace", "serviceAccount", "ip", "remoteIp"];
const SOURCE_ENTRIES: string[] = [
  "source_principal",
  "source_namespace",
  "source_service_account",
  "remote_address",
  "remote_address",
];
const SOURCE_KINDS: KeySource[] = [
  KeySource.Principal,
  KeySource.Namespace,
  KeySource.ServiceAccount,
  KeySource.Ip,
  KeySource.RemoteIp,
];
const KINDS: string[] = ["header", "source", "path", "pathTemplate", "pathCapture", "claim", "route"];
/** Longest number that a header may say a cost in: what `parseDecimal` reads. */
const MOST_COST: i64 = i64(i32.MAX_VALUE);

/** Returns one part of a key. Mistakes are kept in the document. */
export function parseKeyPart(json: Json): KeyPart {
  json.object().only(KINDS.concat(["as"]));
  let kind = "";
  for (let i = 0; i < KINDS.length; i++) {
    if (json.get(KINDS[i]).isMissing) continue;
    if (kind.length > 0) json.fail("exactly one of " + KINDS.join(", "));
    kind = KINDS[i];
  }
  if (kind.length == 0) json.fail("exactly one of " + KINDS.join(", "));
  const value = json.get(kind);
  const entry = json.get("as");
  if (kind == "header") return headerPart(value, entry);
  if (kind == "source") return sourcePart(value, entry);
  if (kind == "pathTemplate") return templatesPart(value, entry);
  if (kind == "pathCapture") return capturePart(value, entry);
  if (kind == "claim") return claimPart(value, entry);
  if (kind.length > 0 && !value.boolean()) value.fail("true");
  return kind == "route" ? partOf(KeySource.Route, entry, "route") : partOf(KeySource.Path, entry, "path");
}

function partOf(source: KeySource, entry: Json, name: string): KeyPart {
  const given = entry.isMissing ? name : entry.string();
  if (given.length == 0) entry.fail("the name of a descriptor's entry");
  return new KeyPart(source, utf8(given));
}

function headerPart(json: Json, entry: Json): KeyPart {
  const name = json.string().toLowerCase();
  if (name.length == 0) json.fail("a header's name");
  const part = partOf(KeySource.Header, entry, name.length > 0 ? name : "header");
  part.name = utf8(name);
  return part;
}

function sourcePart(json: Json, entry: Json): KeyPart {
  const at = SOURCES.indexOf(json.string());
  if (at < 0) json.fail("one of " + SOURCES.join(", "));
  return at < 0 ? partOf(KeySource.Ip, entry, "source") : partOf(SOURCE_KINDS[at], entry, SOURCE_ENTRIES[at]);
}

function templatesPart(json: Json, entry: Json): KeyPart {
  const part = partOf(KeySource.PathTemplate, entry, "path");
  if (json.list().length == 0) json.fail("at least one template");
  for (let i = 0; i < json.length; i++) addTemplate(part, json.at(i));
  return part;
}

function capturePart(json: Json, entry: Json): KeyPart {
  const part = partOf(KeySource.PathCapture, entry, "path");
  const one = json.string().indexOf("{*}");
  const rest = json.string().indexOf("{**}");
  if (one < 0 || (rest >= 0 && rest < one)) json.fail("a template with {*} before any {**}");
  addTemplate(part, json);
  return part;
}

function addTemplate(part: KeyPart, json: Json): void {
  const text = json.string();
  const compiled = compileTemplate(text);
  const template = compiled.template;
  if (template == null) json.failWith(compiled.error);
  else {
    part.templates.push(template);
    part.templateTexts.push(utf8(text));
  }
}

/** `"sub"`, or a path into the payload: `["realm_access", "tier"]`. */
function claimPart(json: Json, entry: Json): KeyPart {
  const names: string[] = [];
  if (json.isString) names.push(json.string());
  else for (let i = 0; i < json.list().length; i++) names.push(json.at(i).string());
  if (names.length == 0) json.fail("a claim's name, or a list of names that leads to it");
  for (let i = 0; i < names.length; i++)
    if (names[i].length == 0 || names[i].includes("\0")) json.failWith("a claim's name cannot be empty");
  const part = partOf(KeySource.Claim, entry, names.join("."));
  if (names.length > 0) part.claim = ClaimPath.claim(names);
  return part;
}

/** Returns a number's cost, or that of `{header, default, min, max}`. */
export function parseCost(json: Json): Cost {
  const cost = new Cost();
  if (!json.isObject) {
    cost.otherwise = json.integerOr(1, 1, 1_000_000_000_000);
    cost.most = cost.otherwise;
    return cost;
  }
  json.only(["header", "default", "min", "max"]);
  const name = json.get("header").string();
  if (name.length == 0) json.get("header").fail("a header's name");
  cost.header = utf8(name.toLowerCase());
  cost.least = json.get("min").integerOr(1, 0, MOST_COST);
  cost.most = json.get("max").integer(max<i64>(cost.least, 1), MOST_COST);
  cost.otherwise = json.get("default").integerOr(max<i64>(cost.least, 1), cost.least, max(cost.most, cost.least));
  return cost;
}
