// consumes: values as Istio's policies write them (exact, `prefix*`, `*suffix`, `*`, path templates)
// produces: Envoy's string matchers that mean what the authorization filter means by them, strictly (ALLOW) or loosely
// (DENY)
// never does: let in by a reading that the filter does not take; where it must be wider than the filter, only a refusal
// is
import type { StringMatcher } from "../../../protos/build/envoy.ts";

/**
 * How a request that can be read in two ways is matched: in every way it can be read (what lets in), or in any (what
 * keeps out).
 */
export type Reading = "strict" | "loose";

/** Any byte: `.` matches no byte that is not UTF-8, and a header may hold such. */
export const ANY_BYTE = "\\C";
export const ANYTHING = `${ANY_BYTE}*`;

interface Pattern {
  readonly kind: "exact" | "prefix" | "suffix" | "any";
  readonly literal: string;
}

/** Returns the matcher of a value that can be read in one way only; `*` is any that is not empty. */
export function plainMatcher(value: string): StringMatcher {
  const { kind, literal } = patternOf(value);
  switch (kind) {
    case "any":
      return regexMatcher(`${ANY_BYTE}+`);
    case "exact":
      return { exact: literal };
    case "prefix":
      return { prefix: literal };
    case "suffix":
      return { suffix: literal };
  }
}

/**
 * Returns the loose matcher of a header's line, or of its lines joined by commas: as a whole, or some element of it.
 */
export function looseHeaderMatcher(value: string): StringMatcher {
  return regexMatcher(`(?:${ANYTHING},)?[ \\t]*${textRegex(value, ANYTHING)}[ \\t]*(?:,${ANYTHING})?`);
}

/**
 * Returns the matcher of everything but one text. What is as long as the text and differs from it only in bytes that
 * are not UTF-8 is left out: such a line says nothing that whoever put the other line there could mean.
 */
export function differentFrom(text: string): StringMatcher {
  const length = Buffer.byteLength(text);
  const characters = [...text];
  const differsAt = characters.map(
    (character, at) => `${escaped(characters.slice(0, at).join(""))}[^${inBrackets(character)}]${ANYTHING}`,
  );
  return regexMatcher(
    [
      ...(length > 0 ? [`${ANY_BYTE}{0,${length - 1}}`] : []),
      `${ANY_BYTE}{${length + 1}}${ANYTHING}`,
      ...differsAt,
    ].join("|"),
  );
}

/**
 * Returns the matcher of `:authority`, ASCII case aside: loosely also one of several hosts, behind a user, with a port
 * or trailing dots.
 */
export function hostMatcher(value: string, reading: Reading): StringMatcher {
  const { kind } = patternOf(value);
  if (reading === "strict") return regexMatcher(`(?i)${textRegex(value, "[^,@]*")}`);
  const before = kind === "suffix" || kind === "any" ? "" : `(?:${ANYTHING}[,@])?[ \\t]*`;
  return regexMatcher(`(?i)${before}${textRegex(value, ANYTHING)}\\.*(?::[^,@]*)?[ \\t]*(?:,${ANYTHING})?`);
}

/** Returns the matcher of a path, without query, as it travels. */
export function pathMatcher(value: string): StringMatcher {
  return isTemplate(value)
    ? regexMatcher(templateRegex(value, escaped, "[A-Za-z0-9._~%!$&'()+,;:@=-]"))
    : plainMatcher(value);
}

/** Returns the matcher of a path as a lenient application reads it. */
export function lenientPathMatcher(value: string): StringMatcher {
  return regexMatcher(lenientRegex(value));
}

/**
 * Returns the matcher of paths that may lead elsewhere than they say, which nothing lets in: with dot segments left,
 * or,
 * where a template's `{*}` is one segment, with encoded slashes. Nothing where every path is meant.
 */
export function misleadingPathMatcher(value: string): StringMatcher | undefined {
  if (["*", "/*", "/{**}"].includes(value)) return undefined;
  const dots = `${ANYTHING}${ONE_SLASH}${DOT}${DOT}?${PARAMETERS}(?:${ONE_SLASH}${ANYTHING})?`;
  return regexMatcher(value.includes("{*}") ? `${dots}|${ANYTHING}${ENCODED_SLASH}${ANYTHING}` : dots);
}

/** Returns the regular expression of a path for matching `:path`, query and all. */
export function pathLineRegex(value: string): string {
  const plain = isTemplate(value)
    ? templateRegex(value, escaped, "[A-Za-z0-9._~%!$&'()+,;:@=-]")
    : textRegex(value, "[^?#]*");
  return `(?:${plain}|${lenientRegex(value)})(?:[?#].*)?`;
}

/** Returns a matcher of the whole text. */
export function regexMatcher(regex: string): StringMatcher {
  return { safeRegex: { regex } };
}

/** Returns the text with every character standing for itself. */
export function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    character.codePointAt(0)! < 0x80 ? `\\${character}` : character,
  );
}

function patternOf(value: string): Pattern {
  if (value === "*") return { kind: "any", literal: "" };
  if (value.startsWith("*")) return { kind: "suffix", literal: value.slice(1) };
  return value.endsWith("*") ? { kind: "prefix", literal: value.slice(0, -1) } : { kind: "exact", literal: value };
}

/** Returns the regular expression of a value; `rest` is what a `*` stands for. */
export function textRegex(value: string, rest: string): string {
  const { kind, literal } = patternOf(value);
  return `${kind === "suffix" || kind === "any" ? rest : ""}${escaped(literal)}${kind === "prefix" ? rest : ""}`;
}

function isTemplate(value: string): boolean {
  return value.includes("{*}") || value.includes("{**}");
}

function templateRegex(template: string, literal: (text: string) => string, segmentByte: string): string {
  return template
    .split(/(\{\*\*?\})/)
    .map((piece) => (piece === "{*}" ? `${segmentByte}+` : piece === "{**}" ? `(?:${segmentByte}|/)*` : literal(piece)))
    .join("");
}

// The lenient reading of filters/policy/request-text.ts: percent-encoding undone, parameters (`;x`) dropped, ended by
// an encoded `?`, `#` or NUL, blanks at the end cut. What `..` climbs out of cannot be counted here (Envoy has resolved
// the plain ones, but `..;` is none), so around it any path counts.

const SEMICOLON = "(?:;|%3[bB])";
const PARAMETERS = `(?:${SEMICOLON}[^/]*)?`;
const DOT = "(?:\\.|%2[eE])";
const ENCODED_SLASH = "(?:\\\\|%2[fF]|%5[cC])";
const ONE_SLASH = `(?:/|${ENCODED_SLASH})`;
const CLIMB = `(?:${ANYTHING}${ONE_SLASH})?${DOT}${DOT}${PARAMETERS}`;
const SLASH = `${PARAMETERS}(?:${ONE_SLASH}${CLIMB})?${ONE_SLASH}(?:${DOT}?${PARAMETERS}${ONE_SLASH})*`;
const END = `(?:${DOT}?${SEMICOLON}[^/]*|${CLIMB})?(?: |%(?:[01][0-9a-fA-F]|20))*(?:%(?:00|23|3[fF])${ANYTHING})?`;

function lenientRegex(value: string): string {
  if (isTemplate(value)) return `${templateRegex(value, lenientLiteral, "[^/]")}${END}`;
  const { kind, literal } = patternOf(value);
  switch (kind) {
    case "any":
      return `${ANY_BYTE}+`;
    case "suffix":
      return `${ANYTHING}${lenientLiteral(literal)}${END}`;
    case "prefix":
      return `${lenientLiteral(literal)}${ANYTHING}`;
    case "exact":
      return `${lenientLiteral(literal)}${END}`;
  }
}

/** Each character of the text, itself decoded, as it is or encoded. */
function lenientLiteral(text: string): string {
  return [...decoded(text)]
    .map((character) => (character === "/" ? SLASH : `(?:${escaped(character)}|${percentEncoded(character)})`))
    .join("");
}

function percentEncoded(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `%${[...byte.toString(16).padStart(2, "0")].map(inBothCases).join("")}`)
    .join("");
}

/** Percent-encoding undone where it stands for text. */
function decoded(text: string): string {
  return text
    .replace(/;[^/]*/g, "")
    .replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString());
}

/** A character as it stands between brackets. */
function inBrackets(character: string): string {
  return /[\^\\\]]/.test(character) ? `\\${character}` : character;
}

/** A hexadecimal digit as a pattern that takes it in either case. */
function inBothCases(digit: string): string {
  return /\d/.test(digit) ? digit : `[${digit}${digit.toUpperCase()}]`;
}
