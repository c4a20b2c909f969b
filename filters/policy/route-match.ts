// consumes: one virtual host's match list, compiled, and a request
// produces: the first rule that matches
// never does: decide out of order, allocate while deciding
import { ABSENT, equals, Span, viewOf } from "./bytes";
import { ClaimPath, ClaimValue, MetadataReader } from "./jwt-claims";
import { queryParameter } from "./request-text";
import { ClaimMatch, NamedMatch } from "./route-condition";
import { addLines, IndexedBy, ValueIndex } from "./route-index";
import { SpanList } from "./span-list";
import { StickyKey, StickySplit } from "./sticky";
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

  /** Appends every value of a header: Envoy 1.40's route matching looks at each value alone. */
  abstract header(name: Span, to: SpanList): void;

  /** Returns the value of the first cookie of that name, or ABSENT. */
  abstract cookie(name: Span): Span;

  /** Returns the client's address without port, or ABSENT. */
  abstract sourceIp(): Span;

  /** Where verified claims stand. */
  abstract get metadata(): MetadataReader;
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
  /**
   * Values of the headers that were asked for; per header where they begin and how many there are (-1: not asked for
   * yet).
   */
  private readonly values: SpanList = new SpanList();
  private readonly firsts: i32[] = [];
  private readonly counts: i32[] = [];
  private claimValues: ClaimValue[] = [];
  private claimKnown: Array<bool> = [];
  /** Rules whose one exact condition is in an index are found there, the others are asked one after the other. */
  private readonly indexes: ValueIndex[] = [];
  /** Where the decision is in each list of rules that it found: a header with several values has several. */
  private readonly lists: ValueIndex[] = [];
  private readonly entries: i32[] = [];
  private found: i32 = 0;
  private readonly plain: i32[] = [];

  /** Returns the index of a header name among `headers`, adding it if it is new. Configuration time only. */
  internHeader(name: StaticArray<u8>): i32 {
    const index = intern(this.headers, name);
    if (index == this.firsts.length) {
      this.firsts.push(0);
      this.counts.push(-1);
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
    this.values.count = 0;
    for (let i = 0; i < this.counts.length; i++) unchecked((this.counts[i] = -1));
    for (let i = 0; i < this.claimKnown.length; i++) unchecked((this.claimKnown[i] = false));
    this.found = 0;
    for (let i = 0; i < this.indexes.length; i++) this.lookUp(unchecked(this.indexes[i]), request);
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

  /** The lowest rule number among the next plain rule and the next of each list; takes it out of the lists. */
  private nextRule(plain: i32): i32 {
    let least = plain < this.plain.length ? unchecked(this.plain[plain]) : -1;
    for (let i = 0; i < this.found; i++) {
      const entry = unchecked(this.entries[i]);
      if (entry < 0) continue;
      const number = unchecked(this.lists[i]).ruleAt(entry);
      if (least < 0 || number < least) least = number;
    }
    for (let i = 0; i < this.found; i++) {
      const entry = unchecked(this.entries[i]);
      if (entry >= 0 && unchecked(this.lists[i]).ruleAt(entry) == least)
        unchecked((this.entries[i] = unchecked(this.lists[i]).next(entry)));
    }
    return least;
  }

  private lookUp(index: ValueIndex, request: RouteRequest): void {
    if (index.by == IndexedBy.Header) {
      this.readHeader(index.name, request);
      const from = unchecked(this.firsts[index.name]);
      for (let i = from; i < from + unchecked(this.counts[index.name]); i++) this.addList(index, this.values.at(i));
    } else if (index.by == IndexedBy.Query)
      this.addList(index, queryParameter(request.query, viewOf(unchecked(this.parameters[index.name]))));
    else this.addList(index, index.by == IndexedBy.Path ? request.path : request.authority);
  }

  private addList(index: ValueIndex, value: Span): void {
    const entry = index.first(value);
    if (entry < 0) return;
    if (this.found == this.lists.length) {
      this.lists.push(index);
      this.entries.push(entry);
    } else {
      unchecked((this.lists[this.found] = index));
      unchecked((this.entries[this.found] = entry));
    }
    this.found++;
  }

  private matches(rule: RouteRule, request: RouteRequest): bool {
    if (!optional(rule.uri, request.path) || !optional(rule.method, request.method)) return false;
    if (!optional(rule.authority, request.authority) || !optional(rule.scheme, request.scheme)) return false;
    for (let i = 0; i < rule.headers.length; i++) {
      const condition = unchecked(rule.headers[i]);
      this.readHeader(condition.index, request);
      if (
        !condition.holdsForAll(
          this.values,
          unchecked(this.firsts[condition.index]),
          unchecked(this.counts[condition.index]),
        )
      )
        return false;
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
        this.readHeader(rule.splitIndex, request);
        return unchecked(this.counts[rule.splitIndex]) > 0
          ? this.values.at(unchecked(this.firsts[rule.splitIndex]))
          : ABSENT;
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

  /** Collects a header's values at most once per request, however many rules ask. */
  private readHeader(index: i32, request: RouteRequest): void {
    if (unchecked(this.counts[index]) >= 0) return;
    const before = this.values.count;
    request.header(viewOf(unchecked(this.headers[index])), this.values);
    unchecked((this.firsts[index] = before));
    unchecked((this.counts[index] = this.values.count - before));
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
