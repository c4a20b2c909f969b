// consumes: one virtual host's match list, compiled, and a request
// produces: the first rule that matches
// never does: decide out of order, allocate while deciding
import { ABSENT, emptySpan, Span, viewOf } from "./bytes";
import { queryParameter } from "./request-text";
import { StringMatch } from "./string-match";

/** What a decision reads of a request. */
export abstract class RouteRequest {
  /** `:path` without query. */
  path: Span = ABSENT;
  /** The query without `?`. */
  query: Span = ABSENT;
  method: Span = ABSENT;
  authority: Span = ABSENT;
  scheme: Span = ABSENT;

  /** Returns all values of a header joined with ",", as Envoy's route matching sees them, or ABSENT. */
  abstract header(name: Span): Span;
}

/** A condition on a header or query parameter. */
export class NamedMatch {
  constructor(
    /** Index into the table's header names; for query parameters -1. */
    readonly header: i32,
    readonly name: StaticArray<u8>,
    readonly match: StringMatch,
    /** For `withoutHeaders`: a missing header counts as empty, then the outcome is turned round (Istio sets treat_missing_header_as_empty). */
    readonly without: bool,
    /** The match is about presence alone. */
    readonly presence: bool,
  ) {}

  /** Returns whether the value satisfies the condition. */
  holds(value: Span): bool {
    if (!this.without) return this.match.matches(value);
    if (this.presence) return value == ABSENT;
    return !this.match.matches(value == ABSENT ? emptySpan() : value);
  }
}

/** One rule: every condition must hold. */
export class RouteRule {
  uri: StringMatch | null = null;
  method: StringMatch | null = null;
  authority: StringMatch | null = null;
  scheme: StringMatch | null = null;
  headers: NamedMatch[] = [];
  queryParams: NamedMatch[] = [];
  /** Every destination of the rule is inside the mesh. */
  inside: bool = false;

  constructor(
    /** What is handed to Envoy when the rule matches. */
    readonly key: StaticArray<u8>,
  ) {}
}

/** A compiled match list. */
export class RouteTable {
  rules: RouteRule[] = [];
  /** The header names that rules ask for, each once. */
  names: StaticArray<u8>[] = [];
  private values: Array<Span> = [];
  private known: Array<bool> = [];

  /** Returns the index of a header name among `names`, adding it if it is new. Configuration time only. */
  internHeader(name: StaticArray<u8>): i32 {
    for (let i = 0; i < this.names.length; i++) {
      const other = this.names[i];
      if (other.length == name.length && memory.compare(changetype<usize>(other), changetype<usize>(name), name.length) == 0) return i;
    }
    this.names.push(name);
    this.values.push(ABSENT);
    this.known.push(false);
    return this.names.length - 1;
  }

  /** Returns the first rule that matches, or null. */
  decide(request: RouteRequest): RouteRule | null {
    for (let i = 0; i < this.known.length; i++) unchecked((this.known[i] = false));
    for (let i = 0; i < this.rules.length; i++) {
      const rule = unchecked(this.rules[i]);
      if (this.matches(rule, request)) return rule;
    }
    return null;
  }

  private matches(rule: RouteRule, request: RouteRequest): bool {
    if (!optional(rule.uri, request.path) || !optional(rule.method, request.method)) return false;
    if (!optional(rule.authority, request.authority) || !optional(rule.scheme, request.scheme)) return false;
    for (let i = 0; i < rule.headers.length; i++) {
      const condition = unchecked(rule.headers[i]);
      if (!condition.holds(this.headerValue(condition, request))) return false;
    }
    for (let i = 0; i < rule.queryParams.length; i++) {
      const condition = unchecked(rule.queryParams[i]);
      if (!condition.holds(queryParameter(request.query, viewOf(condition.name)))) return false;
    }
    return true;
  }

  /** Joins a header's values at most once per request, however many rules ask. */
  private headerValue(condition: NamedMatch, request: RouteRequest): Span {
    const index = condition.header;
    if (!unchecked(this.known[index])) {
      unchecked((this.values[index] = request.header(viewOf(condition.name))));
      unchecked((this.known[index] = true));
    }
    return unchecked(this.values[index]);
  }
}

function optional(match: StringMatch | null, value: Span): bool {
  return match == null || match.matches(value);
}
