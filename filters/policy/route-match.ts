// consumes: one virtual host's match list, compiled, and a request
// produces: the first rule that matches
// never does: decide out of order, allocate while deciding
import { ABSENT, emptySpan, equals, Span, viewOf } from "./bytes";
import { ClaimKind, ClaimPath, ClaimValue, MetadataReader } from "./jwt-claims";
import { queryParameter } from "./request-text";
import { addLines, IndexedBy, ValueIndex } from "./route-index";
import { StickyKey, StickySplit } from "./sticky";
import { MatchKind, StringMatch } from "./string-match";

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

  /** Returns the value of the first cookie of that name, or ABSENT. */
  abstract cookie(name: Span): Span;

  /** Returns the client's address without port, or ABSENT. */
  abstract sourceIp(): Span;

  /** Where verified claims stand. */
  abstract get metadata(): MetadataReader;
}

/** A condition on a header or query parameter. */
export class NamedMatch {
  constructor(
    /** Index into the table's header names; for query parameters into its parameters' names. */
    readonly index: i32,
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

/** A condition on a claim of the verified token: of a list, one element that matches is enough. */
export class ClaimMatch {
  constructor(
    /** Index into the table's claims. */
    readonly index: i32,
    readonly match: StringMatch,
    /** The outcome is turned round: a claim that is not there does not match. */
    readonly without: bool,
  ) {}

  /** Returns whether the claim satisfies the condition. */
  holds(value: ClaimValue): bool {
    return this.matches(value) != this.without;
  }

  private matches(value: ClaimValue): bool {
    if (this.match.kind == MatchKind.Present) return value.raw != ABSENT;
    if (value.kind == ClaimKind.Text) return this.match.matches(value.text);
    if (value.kind != ClaimKind.List) return false;
    for (let i = 0; i < value.items.count; i++) {
      if (this.match.matches(value.items.at(i))) return true;
    }
    return false;
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
  claims: ClaimMatch[] = [];
  /** Every destination is inside the mesh. */
  inside: bool = false;
  /** Draws one of several keys for a request that has what it is drawn by; `key` stands for all others. */
  split: StickySplit | null = null;
  splitBy: StickyKey = StickyKey.Header;
  /** Index into the table's header names or claims. */
  splitIndex: i32 = -1;
  /** Name of the cookie or query parameter. */
  splitName: StaticArray<u8> = new StaticArray<u8>(0);

  constructor(
    /** What is handed to Envoy when the rule matches. */
    readonly key: StaticArray<u8>,
  ) {}
}

/** A compiled match list. */
export class RouteTable {
  rules: RouteRule[] = [];
  /** The header names and query parameters that rules ask for, each once. */
  readonly headers: StaticArray<u8>[] = [];
  readonly parameters: StaticArray<u8>[] = [];
  readonly claims: ClaimPath[] = [];
  /** The key of the share or rule that the last decision chose. */
  key: StaticArray<u8> = new StaticArray<u8>(0);
  /** How many rules the last decision looked at. */
  tried: i32 = 0;

  private readonly claimKeys: string[] = [];
  private values: Array<Span> = [];
  private known: Array<bool> = [];
  private claimValues: ClaimValue[] = [];
  private claimKnown: Array<bool> = [];
  /** Rules whose one exact condition is in an index are found there, the others are asked one after the other. */
  private readonly indexes: ValueIndex[] = [];
  private readonly entries: i32[] = [];
  private readonly plain: i32[] = [];

  /** Returns the index of a header name among `headers`, adding it if it is new. Configuration time only. */
  internHeader(name: StaticArray<u8>): i32 {
    const index = intern(this.headers, name);
    if (index == this.values.length) {
      this.values.push(ABSENT);
      this.known.push(false);
    }
    return index;
  }

  /** Returns the index of a query parameter's name among `parameters`. Configuration time only. */
  internParameter(name: StaticArray<u8>): i32 {
    return intern(this.parameters, name);
  }

  /** Returns the index of a claim among `claims`; `key` is how it was written. Configuration time only. */
  internClaim(key: string, path: ClaimPath): i32 {
    const index = this.claimKeys.indexOf(key);
    if (index >= 0) return index;
    this.claimKeys.push(key);
    this.claims.push(path);
    this.claimValues.push(new ClaimValue());
    this.claimKnown.push(false);
    return this.claims.length - 1;
  }

  /** Says that rule `number` wants a value, or one of several `lines`, of an attribute exactly. Rules come in order. */
  indexValues(by: IndexedBy, name: i32, values: Span, lines: bool, number: i32): void {
    let index: ValueIndex | null = null;
    for (let i = 0; i < this.indexes.length; i++) {
      if (this.indexes[i].by == by && this.indexes[i].name == name) index = this.indexes[i];
    }
    if (index == null) {
      index = new ValueIndex(by, name);
      this.indexes.push(index);
      this.entries.push(-1);
    }
    if (lines) addLines(index, values, number);
    else index.add(values, number);
  }

  /** Says that rule `number` is in no index. */
  addPlain(number: i32): void {
    this.plain.push(number);
  }

  /** Returns the first rule that matches, or null; `key` is what it chose. */
  decide(request: RouteRequest): RouteRule | null {
    for (let i = 0; i < this.known.length; i++) unchecked((this.known[i] = false));
    for (let i = 0; i < this.claimKnown.length; i++) unchecked((this.claimKnown[i] = false));
    for (let i = 0; i < this.indexes.length; i++) {
      const index = unchecked(this.indexes[i]);
      unchecked((this.entries[i] = index.first(this.indexedValue(index, request))));
    }
    this.tried = 0;
    let plain = 0;
    for (;;) {
      const number = this.nextRule(plain);
      if (number < 0) break;
      if (plain < this.plain.length && unchecked(this.plain[plain]) == number) plain++;
      const rule = unchecked(this.rules[number]);
      this.tried++;
      if (this.matches(rule, request)) {
        this.key = this.keyOf(rule, request);
        return rule;
      }
    }
    return null;
  }

  /** The lowest rule number among the next plain rule and the next of each index; takes it out of its index. */
  private nextRule(plain: i32): i32 {
    let least = plain < this.plain.length ? unchecked(this.plain[plain]) : -1;
    let from = -1;
    for (let i = 0; i < this.entries.length; i++) {
      const entry = unchecked(this.entries[i]);
      if (entry < 0) continue;
      const number = unchecked(this.indexes[i]).ruleAt(entry);
      if (least >= 0 && number > least) continue;
      least = number;
      from = i;
    }
    if (from >= 0) unchecked((this.entries[from] = unchecked(this.indexes[from]).next(unchecked(this.entries[from]))));
    return least;
  }

  private indexedValue(index: ValueIndex, request: RouteRequest): Span {
    switch (index.by) {
      case IndexedBy.Header:
        return this.headerValue(index.name, request);
      case IndexedBy.Query:
        return queryParameter(request.query, viewOf(unchecked(this.parameters[index.name])));
      case IndexedBy.Path:
        return request.path;
      default:
        return request.authority;
    }
  }

  private matches(rule: RouteRule, request: RouteRequest): bool {
    if (!optional(rule.uri, request.path) || !optional(rule.method, request.method)) return false;
    if (!optional(rule.authority, request.authority) || !optional(rule.scheme, request.scheme)) return false;
    for (let i = 0; i < rule.headers.length; i++) {
      const condition = unchecked(rule.headers[i]);
      if (!condition.holds(this.headerValue(condition.index, request))) return false;
    }
    for (let i = 0; i < rule.queryParams.length; i++) {
      const condition = unchecked(rule.queryParams[i]);
      if (!condition.holds(queryParameter(request.query, viewOf(condition.name)))) return false;
    }
    for (let i = 0; i < rule.claims.length; i++) {
      const condition = unchecked(rule.claims[i]);
      if (!condition.holds(this.claimValue(condition.index, request))) return false;
    }
    return true;
  }

  private keyOf(rule: RouteRule, request: RouteRequest): StaticArray<u8> {
    const split = rule.split;
    if (split == null) return rule.key;
    const share = split.choose(this.splitKey(rule, request));
    return share == null ? rule.key : share.key;
  }

  private splitKey(rule: RouteRule, request: RouteRequest): Span {
    switch (rule.splitBy) {
      case StickyKey.Header:
        return this.headerValue(rule.splitIndex, request);
      case StickyKey.Cookie:
        return request.cookie(viewOf(rule.splitName));
      case StickyKey.Query:
        return queryParameter(request.query, viewOf(rule.splitName));
      case StickyKey.Claim:
        return this.claimValue(rule.splitIndex, request).raw;
      default:
        return request.sourceIp();
    }
  }

  /** Joins a header's values at most once per request, however many rules ask. */
  private headerValue(index: i32, request: RouteRequest): Span {
    if (!unchecked(this.known[index])) {
      unchecked((this.values[index] = request.header(viewOf(unchecked(this.headers[index])))));
      unchecked((this.known[index] = true));
    }
    return unchecked(this.values[index]);
  }

  private claimValue(index: i32, request: RouteRequest): ClaimValue {
    const value = unchecked(this.claimValues[index]);
    if (!unchecked(this.claimKnown[index])) {
      unchecked(this.claims[index]).read(request.metadata, value);
      unchecked((this.claimKnown[index] = true));
    }
    return value;
  }
}

function optional(match: StringMatch | null, value: Span): bool {
  return match == null || match.matches(value);
}

function intern(list: StaticArray<u8>[], name: StaticArray<u8>): i32 {
  for (let i = 0; i < list.length; i++) if (equals(viewOf(list[i]), viewOf(name))) return i;
  list.push(name);
  return list.length - 1;
}
