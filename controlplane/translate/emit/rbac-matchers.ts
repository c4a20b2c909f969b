// Single fields of authorization rules as Envoy's RBAC asks for them: principals (who) and permissions (what).
import type { CidrRange, Permission, Principal, StringMatcher, ValueMatcher } from "../../../protos/build/envoy.ts";
import {
  ANY_BYTE,
  ANYTHING,
  differentFrom,
  escaped,
  hostMatcher,
  looseHeaderMatcher,
  lenientPathMatcher,
  misleadingPathMatcher,
  pathMatcher,
  plainMatcher,
  type Reading,
  regexMatcher,
  textRegex,
} from "./rbac-patterns.ts";

const JWT_FILTER = "envoy.filters.http.jwt_authn";
const present: StringMatcher = regexMatcher(`${ANY_BYTE}+`);

/** A peer by its SPIFFE id, written without scheme; one without a certificate has no name and matches nothing. */
export function principalNamed(pattern: string): Principal {
  if (pattern === "*") return named(regexMatcher(`spiffe://${ANY_BYTE}+`));
  if (pattern.startsWith("*")) return named(regexMatcher(`spiffe://${ANYTHING}${escaped(pattern.slice(1))}`));
  return named(
    pattern.endsWith("*") ? { prefix: `spiffe://${pattern.slice(0, -1)}` } : { exact: `spiffe://${pattern}` },
  );
}

export function ofTrustDomain(pattern: string): Principal {
  return named(regexMatcher(`spiffe://${segmentRegex(pattern)}/${ANYTHING}`));
}

/** Loosely a namespace stands anywhere in the identity, up to any later slash, as Istio looks for it. */
export function inNamespace(pattern: string, reading: Reading): Principal {
  return named(
    regexMatcher(
      reading === "strict"
        ? `spiffe://[^/]+/ns/${segmentRegex(pattern)}/sa/[^/]+`
        : `${LOOSE_NAMESPACE}${textRegex(pattern, ANYTHING)}/${ANYTHING}`,
    ),
  );
}

/** `<namespace>/<service account>` */
export function withServiceAccount(pattern: string, reading: Reading): Principal {
  const [namespace = "", account = ""] = pattern.split("/");
  const loose = [namespace, account].map((part) => textRegex(part, ANYTHING));
  return named(
    regexMatcher(
      reading === "strict"
        ? `spiffe://[^/]+/ns/${segmentRegex(namespace)}/sa/${segmentRegex(account)}`
        : `${LOOSE_NAMESPACE}${loose[0]}/(?:${ANYTHING}/)?sa/${loose[1]}(?:/${ANYTHING})?`,
    ),
  );
}

const LOOSE_NAMESPACE = `spiffe://(?:${ANYTHING}/)?ns/`;

export function fromDirectIp(block: string): Principal {
  return { directRemoteIp: cidrOf(block) };
}

export function fromRemoteIp(block: string): Principal {
  return { remoteIp: cidrOf(block) };
}

/**
 * `<issuer>/<subject>` of the verified token. Envoy knows the two apart, and both may hold slashes: every place where
 * the pattern could be cut is a way to match.
 */
export function requestPrincipalNamed(pattern: string): Principal {
  const literal = pattern.replace(/^\*|\*$/, "");
  const kind = pattern.startsWith("*") ? "suffix" : pattern.endsWith("*") ? "prefix" : "exact";
  const cuts = [...literal].flatMap((character, at) =>
    character === "/" ? [{ issuer: literal.slice(0, at), subject: literal.slice(at + 1) }] : [],
  );
  const ways = cuts.flatMap(({ issuer, subject }): readonly Principal[] => {
    if ((issuer === "" && kind !== "suffix") || (subject === "" && kind !== "prefix")) return [];
    const issuerMatch = kind !== "suffix" ? { exact: issuer } : issuer === "" ? present : { suffix: issuer };
    const subjectMatch = kind !== "prefix" ? { exact: subject } : subject === "" ? present : { prefix: subject };
    return [ofToken(issuerMatch, subjectMatch)];
  });
  if (kind === "prefix") ways.push(ofToken({ prefix: literal }, present));
  if (kind === "suffix") ways.push(ofToken(present, literal === "" ? present : { suffix: literal }));
  return ways.length === 0 ? nobody : anyPrincipal(ways);
}

/** A claim that is a text, or a list with such an element; what keeps out also counts numbers and booleans. */
export function claimMatches(names: readonly string[], pattern: string, reading: Reading): Principal {
  const text = { stringMatch: plainMatcher(pattern) };
  const others: ValueMatcher[] =
    reading === "strict"
      ? []
      : [
          ...(/^-?\d+(?:\.\d+)?$/.test(pattern) ? [{ doubleMatch: { exact: Number(pattern) } }] : []),
          ...["true", "false"]
            .filter((name) => matchesPlain(pattern, name))
            .map((name) => ({ boolMatch: name === "true" })),
        ];
  return metadataPrincipal(JWT_FILTER, ["payload", ...names], {
    orMatch: { valueMatchers: [text, { listMatch: { oneOf: text } }, ...others] },
  });
}

/** A value of a filter's dynamic metadata; in brackets it is meant for the elements of a list. */
export function metadataMatches(filter: string, key: string, pattern: string): Principal {
  const inList = /^\[(.+)\]$/.exec(pattern)?.[1];
  return metadataPrincipal(
    filter,
    [key],
    inList === undefined
      ? { stringMatch: plainMatcher(pattern) }
      : { listMatch: { oneOf: { stringMatch: plainMatcher(inList) } } },
  );
}

export function toPort(value: string): Permission {
  return { destinationPort: Number(value) };
}

export function toIp(block: string): Permission {
  return { destinationIp: cidrOf(block) };
}

export function toServerName(pattern: string): Permission {
  return { requestedServerName: plainMatcher(pattern) };
}

/**
 * Envoy (since the runtime guard rbac_match_headers_individually) matches when one line of a repeated header does;
 * before, it joined the lines. What lets in must hold for every line: some line is the value, and none differs.
 * (Patterns with * and values with commas stay in the Wasm filter.)
 */
export function withHeader(name: string, pattern: string, reading: Reading): Permission {
  const alike = alikeNames(name);
  if (reading === "loose") {
    const matcher = pattern === "*" ? { presentMatch: true } : { stringMatch: looseHeaderMatcher(pattern) };
    return anyPermission([name, ...alike].map((one) => ({ header: { name: one, ...matcher } })));
  }
  if (pattern === "*") return { header: { name, presentMatch: true } };
  const differs = (one: string): Permission => ({
    notRule: { header: { name: one, stringMatch: differentFrom(pattern) } },
  });
  return {
    andRules: {
      rules: [{ header: { name, stringMatch: plainMatcher(pattern) } }, ...[name, ...alike].map(differs)],
    },
  };
}

/**
 * Returns the names that applications may take for this one, `_` being `-` to whoever makes a variable of a header's
 * name. There are two for each place: long names stay in the Wasm filter (resolve/native-authorization.ts).
 */
function alikeNames(name: string): readonly string[] {
  const [first = "", ...rest] = name.split(/[-_]/);
  let names = [first];
  for (const part of rest) names = names.flatMap((begun) => [`${begun}-${part}`, `${begun}_${part}`]);
  return names.filter((one) => one !== name);
}

export function withMethod(pattern: string): Permission {
  return {
    header: { name: ":method", ...(pattern === "*" ? { presentMatch: true } : { stringMatch: plainMatcher(pattern) }) },
  };
}

export function toHost(pattern: string, reading: Reading): Permission {
  return { header: { name: ":authority", stringMatch: hostMatcher(pattern, reading) } };
}

export function toPath(pattern: string, reading: Reading): Permission {
  const plain: Permission = { urlPath: { path: pathMatcher(pattern) } };
  if (reading === "loose") return { orRules: { rules: [plain, { urlPath: { path: lenientPathMatcher(pattern) } }] } };
  const misleading = misleadingPathMatcher(pattern);
  return misleading === undefined
    ? plain
    : { andRules: { rules: [plain, { notRule: { urlPath: { path: misleading } } }] } };
}

function anyPermission(rules: readonly Permission[]): Permission {
  return rules.length === 1 && rules[0] !== undefined ? rules[0] : { orRules: { rules } };
}

const nobody: Principal = { notId: { any: true } };

function anyPrincipal(ids: readonly Principal[]): Principal {
  return ids.length === 1 && ids[0] !== undefined ? ids[0] : { orIds: { ids } };
}

function ofToken(issuer: StringMatcher, subject: StringMatcher): Principal {
  const claim = (name: string, stringMatch: StringMatcher) =>
    metadataPrincipal(JWT_FILTER, ["payload", name], { stringMatch });
  return { andIds: { ids: [claim("iss", issuer), claim("sub", subject)] } };
}

function metadataPrincipal(filter: string, keys: readonly string[], value: ValueMatcher): Principal {
  return { sourcedMetadata: { metadataMatcher: { filter, path: keys.map((key) => ({ key })), value } } };
}

function named(principalName: StringMatcher): Principal {
  return { authenticated: { principalName } };
}

function matchesPlain(pattern: string, text: string): boolean {
  return (
    pattern === "*" ||
    pattern === text ||
    (pattern.startsWith("*")
      ? text.endsWith(pattern.slice(1))
      : pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1)))
  );
}

/** One segment of an identity's path; dots and the like stand for themselves. */
function segmentRegex(pattern: string): string {
  return pattern === "*" ? "[^/]+" : pattern.split("*").map(escaped).join("[^/]*");
}

function cidrOf(block: string): CidrRange {
  const [addressPrefix = "", length] = block.split("/");
  return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(":") ? 128 : 32) : Number(length) };
}
