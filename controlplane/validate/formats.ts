// Forms that a string can have to have. Each check returns what is wrong, or undefined.
import { isIP } from "node:net";
import { RE2JS } from "re2js";
import { parseDurationMs } from "../model/duration.ts";
import { isHostName } from "../model/hosts.ts";
import { MAX_REGEX_PROGRAM_SIZE, MAX_SERVER_NAME_BYTES } from "../model/envoy-limits.ts";

/** Longest regular expression: Envoy compiles it on every proxy. */
export const MAX_REGEX_LENGTH = 1_024;

/** Less than a nanosecond: what fractions of seconds lose as floating point numbers. */
const SAME_MS = 5e-7;

/** Returns what is wrong with a duration of at least `minMs`: as Istio's, durations are whole milliseconds. */
export function durationFault(text: string, minMs: number): string | undefined {
  const ms = parseDurationMs(text);
  if (ms === undefined) return `is not a duration: write it like "2s", "0.5s" or "1m30s", not ${quote(text)}`;
  if (ms < minMs) return `must be at least ${minMs}ms, not ${quote(text)}`;
  return Math.abs(ms - Math.round(ms)) > SAME_MS ? `must be whole milliseconds, not ${quote(text)}` : undefined;
}

/** Deepest nesting of groups that the filters' own engine takes. */
const MAX_REGEX_NESTING = 100;

/** Classes of \p that RE2 of Envoy does not know under these names, and others do. */
const UNKNOWN_CLASSES = /\\[pP](?:\{\^?(?:Cn|LC|[a-z][^}]*|[^}]*[\s-][^}]*)\}|[^{CLMNPSZ])/;

/**
 * Returns what is wrong with a regular expression in RE2's syntax. Envoy runs RE2 over bytes: a pattern's characters
 * are the bytes of its UTF-8.
 */
export function regexFault(text: string, maxProgramSize = MAX_REGEX_PROGRAM_SIZE): string | undefined {
  if (text.length > MAX_REGEX_LENGTH) return `is longer than ${MAX_REGEX_LENGTH} characters`;
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  const escapes = /\\Q.*?(?:\\E|$)|\\[pP](?:\{[^}]*\}|.)|\\./gsu;
  const unknown = bytes.match(escapes)?.find((escape) => UNKNOWN_CLASSES.test(escape));
  if (unknown !== undefined) return `is not a regular expression of RE2: Envoy knows no class ${unknown}`;
  if (/\\x\{0*[1-9a-f][0-9a-f]{2,}\}|\\[4-7][0-7]{2}/i.test(bytes.replaceAll("\\\\", "")))
    return "has an escape over \\xff: Envoy matches bytes";
  if (nestingOf(bytes.replaceAll(escapes, "")) > MAX_REGEX_NESTING)
    return `uses groups nested deeper than ${MAX_REGEX_NESTING}: not supported yet`;
  try {
    // \C, any byte, is the one thing of RE2 that re2js lacks; inside brackets neither has it.
    const readable = bytes.replaceAll(escapes, (escape) => (escape === "\\C" ? "(?s:.)" : escape));
    return RE2JS.compile(readable).programSize() > maxProgramSize
      ? "is too complex: its counted repetitions multiply too often"
      : undefined;
  } catch (error) {
    return `is not a regular expression of RE2: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Returns how many groups a regular expression has; 0 for what is none. */
export function groupCount(regex: string): number {
  try {
    return RE2JS.compile(Buffer.from(regex, "utf8").toString("latin1")).groupCount();
  } catch {
    return 0;
  }
}

/** Returns what is wrong with a text that replaces what a regular expression with so many groups matched. */
export function substitutionFault(text: string, groups: number): string | undefined {
  for (const [escape, digit] of text.matchAll(/\\(?:(\d)|\\|.?)/gs)) {
    if (escape !== "\\\\" && digit === undefined)
      return `has a backslash before neither a digit nor a backslash: ${quote(text)}`;
    if (Number(digit ?? 0) > groups) return `names group ${digit}, and the match has ${groups}`;
  }
  return undefined;
}

function nestingOf(syntax: string): number {
  let depth = 0,
    deepest = 0;
  for (const character of syntax) {
    depth += character === "(" ? 1 : character === ")" ? -1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const YEAR_MS = 365 * 24 * 3_600_000;
const MAX_TOKENS = 1_000_000_000_000;

/**
 * Returns what is wrong with a bucket that holds `burst` and regains `tokens` per interval: limits hold for buckets
 * that fill within a year.
 */
export function bucketFault(tokens: number, burst: number, interval: string): string | undefined {
  const ms = parseDurationMs(interval);
  if (ms === undefined) return undefined;
  if (tokens > MAX_TOKENS || burst > MAX_TOKENS) return `must be at most ${MAX_TOKENS} requests`;
  if (ms > YEAR_MS) return "must be per a year at most";
  return (Math.max(ms, 1) / tokens) * burst >= YEAR_MS ? "would take over a year to fill its bucket" : undefined;
}

/** Returns what is wrong with an IP address or CIDR range. */
export function ipBlockFault(text: string): string | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes("%"))
    return `is not an IP address or CIDR range: ${quote(text)}`;
  if (bits === undefined) return undefined;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
    ? undefined
    : `has no valid prefix length: ${quote(text)}`;
}

/** Returns what is wrong with a name that a client asks for by TLS. */
export function askedNameFault(name: string): string | undefined {
  return Buffer.byteLength(name) > MAX_SERVER_NAME_BYTES
    ? `must be at most ${MAX_SERVER_NAME_BYTES} bytes: it is the name that TLS asks for`
    : undefined;
}

/** Returns what is wrong with `HOST:PORT`, where an IPv6 address stands in brackets. */
export function hostAndPortFault(text: string): string | undefined {
  const [, address, name, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const isHost =
    address === undefined ? isHostName(name?.toLowerCase() ?? "") || isIP(name ?? "") !== 0 : isIP(address) === 6;
  return isHost && Number(port) >= 1 && Number(port) <= 65_535 ? undefined : `must be HOST:PORT, not ${quote(text)}`;
}

/**
 * Returns what is wrong with a path pattern of AuthorizationPolicy: exact, `prefix*`, `*suffix`, or with `{*}` and a
 * final `{**}`.
 */
export function pathTemplateFault(text: string): string | undefined {
  const template = text.includes("{") || text.includes("}");
  if (!template) return undefined;
  const rest = text.replaceAll("{**}", "\u0000").replaceAll("{*}", "\u0001");
  if (/[{}]/.test(rest)) return `uses braces other than {*} and {**}: ${quote(text)}`;
  if (rest.includes("*")) return `mixes * with {*} or {**}: ${quote(text)}`;
  const segments = rest.split("/");
  if (segments.some((segment) => /[\u0000\u0001]/.test(segment) && segment.length > 1))
    return `needs {*} and {**} to be a whole path segment: ${quote(text)}`;
  if (segments.filter((segment) => segment === "\u0000").length > 1) return `has more than one {**}: ${quote(text)}`;
  const deep = segments.indexOf("\u0000");
  if (deep >= 0 && segments.slice(deep + 1).includes("\u0001")) return `has {*} after {**}: ${quote(text)}`;
  if (!text.startsWith("/")) return `must begin with /: ${quote(text)}`;
  if (segments.slice(1, -1).includes("")) return `has an empty segment: ${quote(text)}`;
  // RFC 3986's pchar without *: what Envoy's templates, and so our filters, know.
  return /^[\u0000\u0001/A-Za-z0-9\-._~%!$&'()+,;:@=]*$/.test(rest)
    ? undefined
    : `has a character that a path template cannot hold: ${quote(text)}`;
}

/** Returns what is wrong with a value that may be exact, `prefix*`, `*suffix` or `*`. */
export function wildcardFault(value: string): string | undefined {
  const inner = value.startsWith("*") ? value.slice(1) : value.endsWith("*") ? value.slice(0, -1) : value;
  return inner.includes("*") ? `can have one *, at its beginning or end, not ${quote(value)}` : undefined;
}

/** Returns the text in quotes, cut to a length that fits into a message. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
