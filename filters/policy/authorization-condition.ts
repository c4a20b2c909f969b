// consumes: one field of a rule and what is known of a request
// produces: whether the field holds
// never does: let an ambiguity decide in the client's favour; read an attribute that the field does not ask for;
// allocate while deciding
import { AuthorizationRequest, Subject } from "./authorization-request";
import { ABSENT, Span, utf8, viewOf } from "./bytes";
import { Cidr, IpAddress } from "./cidr";
import { CidrSet } from "./cidr-set";
import { ClaimKind, ClaimPath, ClaimValue, numberOf } from "./jwt-claims";
import { compileTemplate, isTemplate, PathTemplate } from "./path-template";
import { Principal } from "./principal";
import { AccountReadings, NamespaceReadings } from "./principal-readings";
import { QueryReadings } from "./query-readings";
import { HeaderReadings, HostReadings } from "./readings";
import { hasDotSegment, hasLenientText, isAmbiguousHost, isFolded, LenientForm, lenientText } from "./request-text";
import { SpanList } from "./span-list";
import { createWildcardMatch, MatchKind, StringMatch } from "./string-match";
import { TextSet } from "./text-set";

const values = new SpanList();
const hosts = new HostReadings();
const headers = new HeaderReadings();
const namespaces = new NamespaceReadings();
const accounts = new AccountReadings();
const parameters = new QueryReadings();
const claim = new ClaimValue();
const TRUE = utf8("true");
const FALSE = utf8("false");

// A condition has few of its lists, and there may be many conditions: what stays empty is shared.
const NO_TEMPLATES: PathTemplate[] = [];
const NO_STRINGS: StringMatch[] = [];
const NO_BLOCKS: Cidr[] = [];
const NO_PORTS: i32[] = [];
const NO_NUMBERS: f64[] = [];

/** From so many exact values on they are looked up instead of compared one after the other. */
const MANY = 8;

/**
 * One field of a rule: the subject is one of the listed ones, or with `negated` none of them.
 *
 * Where a request can be read in two ways (repeated or comma-joined headers, a host with a port or trailing dot, an
 * identity with further path segments),
 * `strict` matching asks that every reading matches and loose matching that any does. Rules that let requests in are
 * matched strictly, rules that keep them out loosely, and negation turns that round: so no spelling slips past a DENY
 * or into an ALLOW. Paths are read leniently where that keeps out; what lets in goes by the path as it travels, which
 * must
 * lead nowhere else: it has no dot segments left, and `{*}` covers no encoded slash.
 */
export class Condition {
  strings: StringMatch[] = [];
  /** The patterns as they were written (`addText`, `addPath`), for the index; service accounts as `namespace/name`. */
  patterns: string[] = [];
  private templates: PathTemplate[] = NO_TEMPLATES;
  /** Some path pattern is met by every path, wherever it may lead. */
  private anyPath: bool = false;
  /** Path patterns with `%` or `;` in them, in the form that lenient paths have. */
  private lenient: StringMatch[] = NO_STRINGS;
  /** The same of patterns whose slashes or dots count (`/a//b`, `/a/%2F/b`): decoded, and resolved. */
  private decoded: StringMatch[] = NO_STRINGS;
  private resolved: StringMatch[] = NO_STRINGS;
  /** Patterns of a list's elements, for Subject.Metadata. */
  private elements: StringMatch[] = NO_STRINGS;
  blocks: Cidr[] = NO_BLOCKS;
  ports: i32[] = NO_PORTS;
  /** Where the claim or metadata stands, for Subject.Claim and Subject.Metadata. */
  claim: ClaimPath | null = null;
  /** The exact ones of many `strings`, which are not in that list then. */
  private exact: TextSet | null = null;
  /** Finds one of many `blocks`. */
  private blockSet: CidrSet | null = null;
  /** Those of the patterns that are numbers. */
  private numbers: f64[] = NO_NUMBERS;

  constructor(
    readonly subject: Subject,
    readonly negated: bool,
    /** The header's name in lower case, for Subject.Header; the parameter's, for Subject.Query. */
    readonly name: StaticArray<u8>,
  ) {}

  /** Returns whether the condition holds; `permits` tells whether its holding lets a request in. */
  holds(request: AuthorizationRequest, permits: bool): bool {
    return this.matches(request, permits != this.negated) != this.negated;
  }

  private matches(request: AuthorizationRequest, strict: bool): bool {
    switch (this.subject) {
      case Subject.Namespace:
        return this.anyString(request.principal().namespace) || (!strict && this.someNamespace(request.principal()));
      case Subject.ServiceAccount:
        return strict ? this.serviceAccount(request.principal()) : this.someServiceAccount(request.principal());
      case Subject.PeerIp:
      case Subject.RemoteIp:
      case Subject.DestinationIp:
        return this.anyBlock(request.address(this.subject));
      case Subject.DestinationPort:
        return this.ports.includes(request.destinationPort());
      case Subject.Host:
        return strict
          ? !isAmbiguousHost(request.authority()) && this.anyString(request.authority())
          : this.someHost(request.authority());
      case Subject.Path:
        return strict ? this.everyPath(request.path()) : this.somePath(request);
      case Subject.Header:
        return strict ? this.everyHeaderValue(request) : this.someHeaderValue(request);
      case Subject.Query:
        return strict ? this.everyParameter(request) : this.someParameter(request);
      case Subject.Claim:
      case Subject.Metadata:
        return this.claimMatches(request, strict);
      default:
        return this.anyString(request.text(this.subject));
    }
  }

  /** Adds a pattern as Istio writes values. Configuration time only. */
  addText(pattern: string): void {
    const anyAtAll =
      pattern == "*" &&
      (this.subject == Subject.Header ||
        this.subject == Subject.Query ||
        this.subject == Subject.Host ||
        this.subject == Subject.Method ||
        this.subject == Subject.Namespace);
    this.strings.push(
      anyAtAll
        ? new StringMatch(MatchKind.Present, "", false, null)
        : createWildcardMatch(pattern, this.subject == Subject.Host),
    );
    this.patterns.push(pattern);
    if (this.subject != Subject.Claim) return;
    const number = numberOf(pattern);
    if (!isFinite(number)) return;
    if (this.numbers === NO_NUMBERS) this.numbers = [];
    this.numbers.push(number);
  }

  /** Adds a block of addresses. Configuration time only. */
  addBlock(block: Cidr): void {
    if (this.blocks === NO_BLOCKS) this.blocks = [];
    this.blocks.push(block);
  }

  /** Adds a port. Configuration time only. */
  addPort(port: i32): void {
    if (this.ports === NO_PORTS) this.ports = [];
    this.ports.push(port);
  }

  /** Adds a pattern for the elements of a list. Configuration time only. */
  addElement(pattern: string): void {
    if (this.elements === NO_STRINGS) this.elements = [];
    this.elements.push(createWildcardMatch(pattern, false));
  }

  /** Adds a path pattern; returns what is wrong with it, or "". Configuration time only. */
  addPath(pattern: string): string {
    this.patterns.push(pattern);
    if (pattern == "*" || pattern == "/*" || pattern == "/{**}") this.anyPath = true;
    if (isTemplate(pattern)) {
      const result = compileTemplate(pattern);
      const template = result.template;
      if (this.templates === NO_TEMPLATES) this.templates = [];
      if (template != null) this.templates.push(template);
      return result.error;
    }
    this.strings.push(createWildcardMatch(pattern, false));
    if (!hasLenientText(pattern)) return "";
    const resolved = createWildcardMatch(lenientText(pattern, LenientForm.SlashesFirst), false);
    if (!isFolded(pattern)) {
      if (this.lenient === NO_STRINGS) this.lenient = [];
      this.lenient.push(resolved);
      return "";
    }
    if (this.decoded === NO_STRINGS) this.decoded = [];
    if (this.resolved === NO_STRINGS) this.resolved = [];
    this.decoded.push(createWildcardMatch(lenientText(pattern, LenientForm.Decoded), false));
    this.resolved.push(resolved);
    return "";
  }

  /** Ends the configuration: many exact values, or blocks, become a set. */
  seal(): void {
    if (this.blocks.length > MANY) this.blockSet = new CidrSet(this.blocks);
    if (this.strings.length != this.patterns.length || this.strings.length <= MANY) return;
    const exact: string[] = [];
    const others: StringMatch[] = [];
    for (let i = 0; i < this.strings.length; i++) {
      if (this.strings[i].kind == MatchKind.Exact) exact.push(this.patterns[i]);
      else others.push(this.strings[i]);
    }
    if (exact.length <= MANY) return;
    this.exact = new TextSet(exact, this.subject == Subject.Host);
    this.strings = others;
  }

  /** Some pattern matches the path, which leads where it says. */
  private everyPath(path: Span): bool {
    return (this.anyString(path) || this.anyTemplate(path, false)) && (this.anyPath || !hasDotSegment(path));
  }

  /**
   * Some pattern matches the path, or what a lenient application reads: `/a%3ab` is `/a:b` then, and `/a;x` and `//a`
   * are
   * `/a`.
   */
  private somePath(request: AuthorizationRequest): bool {
    const path = request.path();
    return (
      this.anyString(path) ||
      this.anyTemplate(path, true) ||
      this.someReading(request.lenientPath(LenientForm.SlashesFirst), path) ||
      this.someReading(request.lenientPath(LenientForm.DotsFirst), path) ||
      (this.decoded.length > 0 && this.foldedPath(request))
    );
  }

  private someReading(reading: Span, path: Span): bool {
    if (someMatches(this.lenient, reading)) return true;
    return reading != path && (this.anyString(reading) || this.anyTemplate(reading, true));
  }

  /** Merged, such a pattern would stand for other paths: that counts where the request cannot be read otherwise. */
  private foldedPath(request: AuthorizationRequest): bool {
    return (
      someMatches(this.decoded, request.lenientPath(LenientForm.Decoded)) ||
      (hasDotSegment(request.path()) &&
        (someMatches(this.resolved, request.lenientPath(LenientForm.SlashesFirst)) ||
          someMatches(this.resolved, request.lenientPath(LenientForm.DotsFirst))))
    );
  }

  /** Some pattern matches the authority, or what an application may take for the host in it. */
  private someHost(authority: Span): bool {
    hosts.begin(authority);
    while (hosts.next()) if (this.anyString(hosts.reading)) return true;
    return false;
  }

  private anyString(value: Span): bool {
    if (value == ABSENT) return false;
    const exact = this.exact;
    if (exact != null && exact.has(value)) return true;
    for (let i = 0; i < this.strings.length; i++) {
      if (unchecked(this.strings[i]).matches(value)) return true;
    }
    return false;
  }

  private anyTemplate(path: Span, loosely: bool): bool {
    if (path == ABSENT) return false;
    for (let i = 0; i < this.templates.length; i++) {
      if (unchecked(this.templates[i]).matches(path, loosely)) return true;
    }
    return false;
  }

  private anyBlock(address: IpAddress): bool {
    const set = this.blockSet;
    if (set != null) return set.contains(address);
    for (let i = 0; i < this.blocks.length; i++) {
      if (unchecked(this.blocks[i]).contains(address)) return true;
    }
    return false;
  }

  /** Some pattern matches what Istio takes for a namespace, wherever it stands in the identity. */
  private someNamespace(principal: Principal): bool {
    namespaces.begin(principal.name);
    while (namespaces.next()) if (this.anyString(namespaces.reading)) return true;
    return false;
  }

  private serviceAccount(principal: Principal): bool {
    return principal.serviceAccount != ABSENT && this.account(principal.namespace, principal.serviceAccount);
  }

  private someServiceAccount(principal: Principal): bool {
    accounts.begin(principal.name);
    while (accounts.next()) if (this.account(accounts.namespaces.reading, accounts.account)) return true;
    return false;
  }

  /** Patterns come in pairs: namespace, then name. */
  private account(namespace: Span, name: Span): bool {
    for (let i = 0; i + 1 < this.strings.length; i += 2) {
      if (unchecked(this.strings[i]).matches(namespace) && unchecked(this.strings[i + 1]).matches(name)) return true;
    }
    return false;
  }

  /**
   * A claim matches as a text or by any element of a list, as Istio documents; loosely also as a number or as true or
   * false, and as a text with NUL: an issuer's change of a claim's type opens nothing.
   */
  private claimMatches(request: AuthorizationRequest, strict: bool): bool {
    const path = this.claim;
    if (path == null) return false;
    request.metadata(path, claim);
    switch (claim.kind) {
      case ClaimKind.Text:
        return this.anyString(claim.text);
      case ClaimKind.List:
        for (let i = 0; i < claim.items.count; i++) {
          if (this.subject == Subject.Claim ? this.anyString(claim.items.at(i)) : this.anyElement(claim.items.at(i)))
            return true;
        }
        return false;
      case ClaimKind.Number:
        return !strict && this.numbers.includes(claim.number);
      case ClaimKind.Boolean:
        return !strict && this.anyString(viewOf(claim.flag ? TRUE : FALSE));
      case ClaimKind.Odd:
        return !strict && this.anyString(claim.raw);
      default:
        return false;
    }
  }

  private anyElement(value: Span): bool {
    for (let i = 0; i < this.elements.length; i++) {
      if (unchecked(this.elements[i]).matches(value)) return true;
    }
    return false;
  }

  /** One pattern matches every line of the header, and of those that an application may take for it. */
  private everyHeaderValue(request: AuthorizationRequest): bool {
    values.count = 0;
    request.headerValues(viewOf(this.name), values);
    if (values.count == 0) return false;
    request.alikeHeaderValues(viewOf(this.name), values);
    const exact = this.exact;
    if (exact != null && exact.has(values.at(0)) && values.areEqual()) return true;
    for (let i = 0; i < this.strings.length; i++) {
      const pattern = unchecked(this.strings[i]);
      let all = true;
      for (let j = 0; all && j < values.count; j++) all = pattern.matches(values.at(j));
      if (all) return true;
    }
    return false;
  }

  /** Some pattern matches what an application may take for the header's value. */
  private someHeaderValue(request: AuthorizationRequest): bool {
    headers.begin(request, viewOf(this.name));
    while (headers.next()) if (this.anyString(headers.reading)) return true;
    return false;
  }

  /** The parameter is there, and some pattern matches each of its values. */
  private everyParameter(request: AuthorizationRequest): bool {
    let found = false;
    parameters.begin(request.query(), viewOf(this.name));
    while (parameters.next()) {
      if (!this.anyString(parameters.decoded)) return false;
      found = true;
    }
    return found;
  }

  /** Some pattern matches one of the parameter's values, as it travels or decoded. */
  private someParameter(request: AuthorizationRequest): bool {
    parameters.begin(request.query(), viewOf(this.name));
    while (parameters.next()) {
      if (this.anyString(parameters.raw) || this.anyString(parameters.decoded)) return true;
    }
    return false;
  }
}

function someMatches(patterns: StringMatch[], value: Span): bool {
  for (let i = 0; i < patterns.length; i++) {
    if (unchecked(patterns[i]).matches(value)) return true;
  }
  return false;
}

/** One entry of `from` or `to`: all of its conditions must hold; without any it always does. */
export class Clause {
  conditions: Condition[] = [];

  /** Returns whether every condition holds. */
  holds(request: AuthorizationRequest, permits: bool): bool {
    for (let i = 0; i < this.conditions.length; i++) {
      if (!unchecked(this.conditions[i]).holds(request, permits)) return false;
    }
    return true;
  }
}
