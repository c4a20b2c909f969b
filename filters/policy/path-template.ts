// consumes: a path template as in AuthorizationPolicy: `/a/{*}/b`, `/a/{**}`
// produces: a matcher over paths, with exactly the meaning Envoy's uri_template gives them
// never does: backtrack: at most one `{**}`, and it is the last operator
import { addressOf, lengthOf, Span, spanOf, utf8 } from "./bytes";
import { escapeAt, isSlash } from "./request-text";

/** What one piece of a template matches. */
enum Piece {
  Literal,
  /** `{*}`: one or more characters without a slash. */
  One,
  /** `{**}`: any characters, slashes too, or none. */
  Rest,
}

/** A compiled template. */
export class PathTemplate {
  kinds: Piece[] = [];
  literals: StaticArray<u8>[] = [];

  /**
   * Returns whether the whole path matches. Loosely an operator matches any bytes, not only those that Envoy's does: a
   * `*` or `[` in a path is no way past a refusal. Strictly `{*}` ends before an encoded slash: that may be one.
   */
  matches(path: Span, loosely: bool = false): bool {
    const end = addressOf(path) + lengthOf(path);
    let at = addressOf(path);
    for (let i = 0; i < this.kinds.length; i++) {
      const kind = unchecked(this.kinds[i]);
      if (kind == Piece.Rest) return this.endsWithRest(i + 1, at, end, loosely);
      if (kind == Piece.One) {
        const start = at;
        while (at < end && (loosely ? load<u8>(at) != 0x2f : isPathByte(load<u8>(at)) && !isEncodedSlash(at, end)))
          at++;
        if (at == start) return false;
        continue;
      }
      const literal = unchecked(this.literals[i]);
      if (!hasLiteral(literal, at, end)) return false;
      at += literal.length;
    }
    return at == end;
  }

  /** Only literals can follow `{**}`: they must be the path's end, and what is before them must be path characters. */
  private endsWithRest(next: i32, at: usize, end: usize, loosely: bool): bool {
    let tail = end;
    for (let i = this.kinds.length - 1; i >= next; i--) {
      const literal = unchecked(this.literals[i]);
      if (tail - at < usize(literal.length)) return false;
      tail -= literal.length;
      if (!hasLiteral(literal, tail, end)) return false;
    }
    for (let i = at; !loosely && i < tail; i++) {
      const byte = load<u8>(i);
      if (byte != 0x2f && !isPathByte(byte)) return false;
    }
    return true;
  }
}

/** The result of `compileTemplate`: a template, or null and what is wrong. */
export class PathTemplateResult {
  constructor(
    readonly template: PathTemplate | null,
    readonly error: string,
  ) {}
}

/** Returns whether a path value is a template rather than a plain, prefix or suffix one: it holds `{*}` or `{**}`. */
export function isTemplate(pattern: string): bool {
  return pattern.includes("{*}") || pattern.includes("{**}");
}

/**
 * Returns the compiled template, or what is wrong. An operator fills a whole path segment and nothing but literals
 * follows `{**}` (https://istio.io/latest/docs/reference/config/security/authorization-policy/#Operation).
 */
export function compileTemplate(pattern: string): PathTemplateResult {
  if (!pattern.startsWith("/")) return failed("a path template begins with /");
  const template = new PathTemplate();
  const segments = pattern.substring(1).split("/");
  let rest = false;
  let literal = "";
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i];
    literal += "/";
    if (segment == "{*}" || segment == "{**}") {
      if (rest) return failed("nothing but literal segments may follow {**}");
      rest = segment == "{**}";
      addLiteral(template, literal);
      addOperator(template, rest ? Piece.Rest : Piece.One);
      literal = "";
    } else {
      if (!isLiteral(segment))
        return failed("segment '" + segment + "' holds a character that a path template cannot hold");
      if (segment.length == 0 && i < segments.length - 1) return failed("a path template has no empty segment");
      literal += segment;
    }
  }
  if (literal.length > 0) addLiteral(template, literal);
  return new PathTemplateResult(template, "");
}

function failed(error: string): PathTemplateResult {
  return new PathTemplateResult(null, error);
}

function addLiteral(template: PathTemplate, text: string): void {
  template.kinds.push(Piece.Literal);
  template.literals.push(utf8(text));
}

function addOperator(template: PathTemplate, kind: Piece): void {
  template.kinds.push(kind);
  template.literals.push(utf8(""));
}

function hasLiteral(literal: StaticArray<u8>, at: usize, end: usize): bool {
  return end - at >= usize(literal.length) && memory.compare(at, changetype<usize>(literal), literal.length) == 0;
}

function isEncodedSlash(at: usize, end: usize): bool {
  const escape = escapeAt(spanOf(at, i32(end - at)), 0);
  return escape >= 0 && isSlash(u8(escape));
}

function isLiteral(segment: string): bool {
  for (let i = 0; i < segment.length; i++) {
    const unit = segment.charCodeAt(i);
    if (unit > 0x7f || !isPathByte(u8(unit))) return false;
  }
  return true;
}

/** RFC 3986's pchar without `*`: the set Envoy's operators match. */
function isPathByte(byte: u8): bool {
  if (u8((byte | 0x20) - 0x61) < 26 || u8(byte - 0x30) < 10) return true;
  // - . _ ~ % ! $ & ' ( ) + , ; : @ =
  switch (byte) {
    case 0x2d:
    case 0x2e:
    case 0x5f:
    case 0x7e:
    case 0x25:
    case 0x21:
    case 0x24:
    case 0x26:
    case 0x27:
    case 0x28:
    case 0x29:
    case 0x2b:
    case 0x2c:
    case 0x3b:
    case 0x3a:
    case 0x40:
    case 0x3d:
      return true;
    default:
      return false;
  }
}
