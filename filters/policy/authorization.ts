// consumes: compiled AuthorizationPolicies and what is known of a request
// produces: allowed, or denied and by which policy's which rule
// never does: let an ambiguity decide in the client's favour; read an attribute no rule asks for; allocate
import { ABSENT, cut, indexOf, lengthOf, Span, trim, viewOf } from "./bytes";
import { Cidr, IpAddress } from "./cidr";
import { compileTemplate, isTemplate, PathTemplate } from "./path-template";
import { Principal } from "./principal";
import { beforePort, hostOf, isAmbiguousHost, lenientText, withoutUser } from "./request-text";
import { createWildcardMatch, StringMatch } from "./string-match";

/** What a condition looks at. */
export enum Subject {
  Principal,
  Namespace,
  ServiceAccount,
  PeerIp,
  RemoteIp,
  DestinationIp,
  DestinationPort,
  Host,
  Method,
  Path,
  Header,
  ServerName,
}

/** A growing list of views that is reused between requests. */
export class SpanList {
  count: i32 = 0;
  private items: StaticArray<Span> = new StaticArray<Span>(8);

  /** Appends a view. Grows (once per high-water mark) when the list is full. */
  push(value: Span): void {
    if (this.count == this.items.length) {
      const larger = new StaticArray<Span>(this.count * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.items), this.count * sizeof<Span>());
      this.items = larger;
    }
    unchecked((this.items[this.count++] = value));
  }

  /** Returns the view at `index`, which must be below `count`. */
  at(index: i32): Span {
    return unchecked(this.items[index]);
  }
}

/** What a decision reads of a request; implementations look things up when first asked. */
export abstract class AuthorizationRequest {
  /** `:method`. */
  abstract method(): Span;
  /** `:path` without query and fragment, as Envoy normalized it. */
  abstract path(): Span;
  /** The path as a lenient application may read it (`lenientPath`); the same view as `path` where there is nothing to read in two ways. */
  abstract lenientPath(): Span;
  /** `:authority`. */
  abstract authority(): Span;
  /** The authenticated peer; all parts absent without mutual TLS. */
  abstract principal(): Principal;
  /** The address at the other end of the connection. */
  abstract peerIp(): IpAddress;
  /** The client's address as forwarding headers tell, to the degree Envoy is configured to believe them. */
  abstract remoteIp(): IpAddress;
  abstract destinationIp(): IpAddress;
  abstract destinationPort(): i32;
  /** The SNI, or ABSENT. */
  abstract serverName(): Span;
  /** Puts every value of a header (one per line it stood on) into `values`. */
  abstract headerValues(name: Span, values: SpanList): void;
  /** Returns all values joined with ",", as Envoy's own matching sees them; ABSENT when there is none. */
  abstract joinedHeader(name: Span): Span;
}

const values = new SpanList();

/**
 * One field of a rule: the subject is one of the listed ones, or with `negated` none of them.
 *
 * Where a request can be read in two ways (repeated or comma-joined headers, a host with a port or trailing dot), `strict` matching
 * asks that every reading matches and loose matching that any does. Rules that let requests in are matched strictly, rules that keep
 * them out loosely, and negation turns that round: so no spelling slips past a DENY or into an ALLOW.
 */
export class Condition {
  strings: StringMatch[] = [];
  templates: PathTemplate[] = [];
  /** Path patterns with `%` or `;` in them, in the form that lenient paths have. */
  lenient: StringMatch[] = [];
  blocks: Cidr[] = [];
  ports: i32[] = [];

  constructor(
    readonly subject: Subject,
    readonly negated: bool,
    /** The header's name in lower case, for Subject.Header. */
    readonly name: StaticArray<u8>,
  ) {}

  /** Returns whether the condition holds; `permits` tells whether its holding lets a request in. */
  holds(request: AuthorizationRequest, permits: bool): bool {
    return this.matches(request, permits != this.negated) != this.negated;
  }

  private matches(request: AuthorizationRequest, strict: bool): bool {
    switch (this.subject) {
      case Subject.Principal:
        return this.anyString(request.principal().name);
      case Subject.Namespace:
        return this.anyString(request.principal().namespace);
      case Subject.ServiceAccount:
        return this.serviceAccount(request.principal());
      case Subject.PeerIp:
        return this.anyBlock(request.peerIp());
      case Subject.RemoteIp:
        return this.anyBlock(request.remoteIp());
      case Subject.DestinationIp:
        return this.anyBlock(request.destinationIp());
      case Subject.DestinationPort:
        return this.ports.includes(request.destinationPort());
      case Subject.Host:
        return strict ? !isAmbiguousHost(request.authority()) && this.anyString(request.authority()) : this.someHost(request.authority());
      case Subject.Method:
        return this.anyString(request.method());
      case Subject.Path:
        return this.anyString(request.path()) || this.anyTemplate(request.path()) || (!strict && this.somePath(request));
      case Subject.Header:
        return strict ? this.everyHeaderValue(request) : this.someHeaderValue(request);
      default:
        return this.anyString(request.serverName());
    }
  }

  /** Adds a path pattern; returns what is wrong with it, or "". Configuration time only. */
  addPath(pattern: string): string {
    if (isTemplate(pattern)) {
      const result = compileTemplate(pattern);
      const template = result.template;
      if (template != null) this.templates.push(template);
      return result.error;
    }
    this.strings.push(createWildcardMatch(pattern, false));
    if (pattern.includes("%") || pattern.includes(";")) this.lenient.push(createWildcardMatch(lenientText(pattern), false));
    return "";
  }

  /** Some pattern matches the path as a lenient application reads it: `/a%3ab` is `/a:b` then, and `/a;x` is `/a`. */
  private somePath(request: AuthorizationRequest): bool {
    const path = request.lenientPath();
    for (let i = 0; i < this.lenient.length; i++) {
      if (unchecked(this.lenient[i]).matches(path)) return true;
    }
    return path != request.path() && (this.anyString(path) || this.anyTemplate(path));
  }

  /** Some pattern matches the authority, or what an application may take for the host in it. */
  private someHost(authority: Span): bool {
    if (this.anyString(authority)) return true;
    let at = 0;
    while (authority != ABSENT && at <= lengthOf(authority)) {
      const comma = indexOf(authority, 0x2c, at);
      const end = comma < 0 ? lengthOf(authority) : comma;
      const host = withoutUser(trim(cut(authority, at, end)));
      if (this.anyString(hostOf(host)) || this.anyString(beforePort(host))) return true;
      at = end + 1;
    }
    return false;
  }

  private anyString(value: Span): bool {
    if (value == ABSENT) return false;
    for (let i = 0; i < this.strings.length; i++) {
      if (unchecked(this.strings[i]).matches(value)) return true;
    }
    return false;
  }

  private anyTemplate(path: Span): bool {
    if (path == ABSENT) return false;
    for (let i = 0; i < this.templates.length; i++) {
      if (unchecked(this.templates[i]).matches(path)) return true;
    }
    return false;
  }

  private anyBlock(address: IpAddress): bool {
    for (let i = 0; i < this.blocks.length; i++) {
      if (unchecked(this.blocks[i]).contains(address)) return true;
    }
    return false;
  }

  /** Patterns come in pairs: namespace, then name. */
  private serviceAccount(principal: Principal): bool {
    if (principal.serviceAccount == ABSENT) return false;
    for (let i = 0; i + 1 < this.strings.length; i += 2) {
      if (unchecked(this.strings[i]).matches(principal.namespace) && unchecked(this.strings[i + 1]).matches(principal.serviceAccount)) return true;
    }
    return false;
  }

  /** One pattern matches the joined value and each single one. */
  private everyHeaderValue(request: AuthorizationRequest): bool {
    const joined = request.joinedHeader(viewOf(this.name));
    if (joined == ABSENT) return false;
    values.count = 0;
    request.headerValues(viewOf(this.name), values);
    for (let i = 0; i < this.strings.length; i++) {
      const pattern = unchecked(this.strings[i]);
      let all = pattern.matches(joined);
      for (let j = 0; all && j < values.count; j++) all = pattern.matches(values.at(j));
      if (all) return true;
    }
    return false;
  }

  /** Some pattern matches the joined value, a single one, or an element of a comma-separated one. */
  private someHeaderValue(request: AuthorizationRequest): bool {
    const joined = request.joinedHeader(viewOf(this.name));
    if (joined == ABSENT) return false;
    if (this.anyString(joined)) return true;
    values.count = 0;
    request.headerValues(viewOf(this.name), values);
    for (let j = 0; j < values.count; j++) {
      if (this.anyString(values.at(j)) || this.someElement(values.at(j))) return true;
    }
    return false;
  }

  private someElement(value: Span): bool {
    let at = 0;
    while (at <= lengthOf(value)) {
      const comma = indexOf(value, 0x2c, at);
      const end = comma < 0 ? lengthOf(value) : comma;
      if (this.anyString(trim(cut(value, at, end)))) return true;
      at = end + 1;
    }
    return false;
  }
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

/** A rule: any of `from` (if there are), any of `to` (if there are), and all of `when`. */
export class Rule {
  from: Clause[] = [];
  to: Clause[] = [];
  when: Clause = new Clause();

  /** Returns whether the rule matches. */
  matches(request: AuthorizationRequest, permits: bool): bool {
    return anyClause(this.to, request, permits) && anyClause(this.from, request, permits) && this.when.holds(request, permits);
  }
}

function anyClause(clauses: Clause[], request: AuthorizationRequest, permits: bool): bool {
  if (clauses.length == 0) return true;
  for (let i = 0; i < clauses.length; i++) {
    if (unchecked(clauses[i]).holds(request, permits)) return true;
  }
  return false;
}

/** A policy: it matches when any of its rules does, so never without rules. */
export class Policy {
  rules: Rule[] = [];

  constructor(
    readonly name: string,
    readonly deny: bool,
  ) {}

  /** Returns the index of the first rule that matches, or -1. */
  firstMatch(request: AuthorizationRequest): i32 {
    for (let i = 0; i < this.rules.length; i++) {
      if (unchecked(this.rules[i]).matches(request, !this.deny)) return i;
    }
    return -1;
  }
}

/** All policies of one workload. After `decide`, `policy` and `rule` say what decided (-1: no policy did). */
export class PolicySet {
  denies: Policy[] = [];
  allows: Policy[] = [];
  /** Index into `denies` or `allows`, by the outcome; -1 when none matched. */
  policy: i32 = -1;
  rule: i32 = -1;

  /** Returns whether the request is allowed: no DENY matches, and an ALLOW does or there is none (Istio's order). */
  decide(request: AuthorizationRequest): bool {
    if (this.firstOf(this.denies, request)) return false;
    if (this.allows.length == 0) return true;
    return this.firstOf(this.allows, request);
  }

  private firstOf(policies: Policy[], request: AuthorizationRequest): bool {
    for (let i = 0; i < policies.length; i++) {
      this.rule = unchecked(policies[i]).firstMatch(request);
      if (this.rule >= 0) {
        this.policy = i;
        return true;
      }
    }
    this.policy = -1;
    return false;
  }
}
