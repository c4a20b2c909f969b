// consumes: a pattern from a configuration (exact, prefix, suffix, present, regex)
// produces: a compiled matcher over UTF-8 bytes
// never does: match an absent value, allocate while matching
import {
  ABSENT,
  addressOf,
  copyOf,
  cut,
  endsWith,
  equals,
  equalsFolded,
  indexOf,
  lengthOf,
  sameFolded,
  Span,
  startsWith,
  utf8,
  viewOf,
} from "./bytes";
import { compileRegex, Regex } from "./regex/regex";

/** How a `StringMatch` compares. */
export enum MatchKind {
  Exact,
  Prefix,
  Suffix,
  Present,
  NonEmpty,
  Regex,
  /** One of several texts, each a line. */
  Lines,
}

/** A compiled matcher of one string. */
export class StringMatch {
  /** The text in UTF-8. */
  bytes: StaticArray<u8>;

  constructor(
    readonly kind: MatchKind,
    text: string,
    /** ASCII letters compare without case (not for regexes: write (?i)). */
    readonly ignoreCase: bool,
    readonly regex: Regex | null,
  ) {
    this.bytes = utf8(text);
  }

  /** Returns whether the value matches. An absent value never does, an empty one may. */
  matches(value: Span): bool {
    if (value == ABSENT) return false;
    switch (this.kind) {
      case MatchKind.Exact:
        return this.ignoreCase ? equalsFolded(value, viewOf(this.bytes)) : equals(value, viewOf(this.bytes));
      case MatchKind.Prefix:
        return this.ignoreCase ? this.edge(value, 0) : startsWith(value, viewOf(this.bytes));
      case MatchKind.Suffix:
        return this.ignoreCase
          ? this.edge(value, lengthOf(value) - this.bytes.length)
          : endsWith(value, viewOf(this.bytes));
      case MatchKind.Present:
        return true;
      case MatchKind.NonEmpty:
        return lengthOf(value) > 0;
      case MatchKind.Lines:
        return this.hasLine(value);
      default: {
        const regex = this.regex;
        return regex != null && regex.matches(value);
      }
    }
  }

  /** Few lines are compared one after the other; many are the matter of an index. */
  private hasLine(value: Span): bool {
    const lines = viewOf(this.bytes);
    let start = 0;
    while (start <= this.bytes.length) {
      const next = indexOf(lines, 0x0a, start);
      const end = next < 0 ? this.bytes.length : next;
      if (equals(cut(lines, start, end), value)) return true;
      start = end + 1;
    }
    return false;
  }

  private edge(value: Span, offset: i32): bool {
    if (lengthOf(value) < this.bytes.length) return false;
    return sameFolded(addressOf(value) + offset, changetype<usize>(this.bytes), this.bytes.length);
  }
}

/**
 * Returns the matcher of an Istio authorization value: `*` is any value that is not empty, `abc*` a prefix, `*abc` a
 * suffix, anything else exact (https://istio.io/latest/docs/reference/config/security/authorization-policy/). A leading
 * `*` wins over a trailing one.
 */
export function createWildcardMatch(pattern: string, ignoreCase: bool): StringMatch {
  if (pattern == "*") return new StringMatch(MatchKind.NonEmpty, "", false, null);
  if (pattern.startsWith("*")) return new StringMatch(MatchKind.Suffix, pattern.substring(1), ignoreCase, null);
  if (pattern.endsWith("*"))
    return new StringMatch(MatchKind.Prefix, pattern.substring(0, pattern.length - 1), ignoreCase, null);
  return new StringMatch(MatchKind.Exact, pattern, ignoreCase, null);
}

/**
 * Returns a matcher of values that are one of several, which stand one per line. Copies the bytes, and nothing else of
 * a long list.
 */
export function createLinesMatch(lines: Span): StringMatch {
  const match = new StringMatch(MatchKind.Lines, "", false, null);
  match.bytes = copyOf(lines);
  return match;
}

/** The result of compiling a regex matcher: exactly one of `match` and `error` counts (`error` is "" on success). */
export class StringMatchResult {
  constructor(
    readonly match: StringMatch | null,
    readonly error: string,
  ) {}
}

/** Returns a matcher that holds where the whole value matches the RE2 pattern, or what is wrong with the pattern. */
export function createRegexMatch(pattern: string): StringMatchResult {
  const compiled = compileRegex(pattern);
  const regex = compiled.regex;
  if (regex == null) return new StringMatchResult(null, compiled.error);
  return new StringMatchResult(new StringMatch(MatchKind.Regex, "", false, regex), "");
}
