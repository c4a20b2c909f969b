// One rule of an AuthorizationPolicy: who, what, and under which conditions.
import { Clause } from "./authorization-condition";
import { AuthorizationRequest } from "./authorization-request";

/** Shared by all rules that have none. */
const NO_CLAUSES: Clause[] = [];

/** A rule: any of `from` (if there are), any of `to` (if there are), and all of `when`. */
export class Rule {
  from: Clause[] = NO_CLAUSES;
  to: Clause[] = NO_CLAUSES;
  when: Clause = new Clause();

  /** Returns whether the rule matches. */
  matches(request: AuthorizationRequest, permits: bool): bool {
    return (
      anyClause(this.to, request, permits) &&
      anyClause(this.from, request, permits) &&
      this.when.holds(request, permits)
    );
  }
}

function anyClause(clauses: Clause[], request: AuthorizationRequest, permits: bool): bool {
  if (clauses.length == 0) return true;
  for (let i = 0; i < clauses.length; i++) {
    if (unchecked(clauses[i]).holds(request, permits)) return true;
  }
  return false;
}
