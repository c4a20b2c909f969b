// consumes: one condition of a rule, and the values that a request has for it
// produces: whether the condition holds, as Envoy's own matching would say
// never does: allocate while deciding
import { ABSENT, emptySpan, Span } from "./bytes";
import { ClaimKind, ClaimValue } from "./jwt-claims";
import { SpanList } from "./span-list";
import { MatchKind, StringMatch } from "./string-match";

/** A condition on a header or query parameter. */
export class NamedMatch {
  constructor(
    /** Index into the table's header names; for query parameters into its parameters' names. */
    readonly index: i32,
    readonly name: StaticArray<u8>,
    readonly match: StringMatch,
    /**
     * For `withoutHeaders`: a missing header counts as empty, then the outcome is turned round (Istio sets
     * treat_missing_header_as_empty).
     */
    readonly without: bool,
    /** The match is about presence alone. */
    readonly presence: bool,
  ) {}

  /** Returns whether a single value, or ABSENT, satisfies the condition. */
  holds(value: Span): bool {
    if (!this.without) return this.match.matches(value);
    if (this.presence) return value == ABSENT;
    return !this.match.matches(value == ABSENT ? emptySpan() : value);
  }

  /** Returns whether a header's values satisfy the condition: one of them, or with `without` all of them. */
  holdsForAll(values: SpanList, from: i32, count: i32): bool {
    if (count == 0) return this.holds(ABSENT);
    for (let i = from; i < from + count; i++) {
      if (this.holds(values.at(i)) != this.without) return !this.without;
    }
    return this.without;
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
