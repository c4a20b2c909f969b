// consumes: compiled AuthorizationPolicies and what is known of a request
// produces: allowed, or denied and by which policy's which rule; what would be denied by policies on trial; what is to
// be audited
// never does: let an ambiguity decide in the client's favour; read an attribute no rule asks for; allocate while
// deciding
import { AuthorizationRequest } from "./authorization-request";
import { Rule } from "./authorization-rule";
import { RuleIndex } from "./rule-index";

/** From so many rules on an index finds those worth a look; fewer are looked at one after the other. */
const INDEXED_FROM = 17;

/** A policy: it matches when any of its rules does, so never without rules. */
export class Policy {
  rules: Rule[] = [];

  constructor(readonly name: string) {}
}

/** The policies of one action. After `firstOf`, `policy` and `rule` say which matched. */
export class PolicyList {
  readonly policies: Policy[] = [];
  /** Index into `policies` of the policy that matched, -1 when none did. */
  policy: i32 = -1;
  /** Index of the rule in that policy. */
  rule: i32 = -1;
  /** How many rules were looked at. */
  evaluated: i32 = 0;
  private readonly rules: Rule[] = [];
  private readonly owners: i32[] = [];
  private readonly firsts: i32[] = [];
  private index: RuleIndex | null = null;

  /** @param permits whether a match lets a request in: then it must match in every way it can be read, else in any */
  constructor(private readonly permits: bool) {}

  /** Adds a policy behind the others. Configuration time only. */
  add(policy: Policy): void {
    this.firsts.push(this.rules.length);
    for (let i = 0; i < policy.rules.length; i++) {
      this.rules.push(policy.rules[i]);
      this.owners.push(this.policies.length);
    }
    this.policies.push(policy);
  }

  /** Ends the configuration. */
  seal(): void {
    if (this.rules.length >= INDEXED_FROM) this.index = new RuleIndex(this.rules, this.permits);
  }

  /** Number of rules of all policies. */
  get ruleCount(): i32 {
    return this.rules.length;
  }

  /** Returns whether a rule matches; the first one counts. */
  firstOf(request: AuthorizationRequest): bool {
    this.evaluated = 0;
    const number = this.firstNumber(request);
    this.policy = number < 0 ? -1 : unchecked(this.owners[number]);
    this.rule = number < 0 ? -1 : number - unchecked(this.firsts[this.policy]);
    return number >= 0;
  }

  private firstNumber(request: AuthorizationRequest): i32 {
    const index = this.index;
    if (index == null) {
      for (let i = 0; i < this.rules.length; i++) {
        this.evaluated++;
        if (unchecked(this.rules[i]).matches(request, this.permits)) return i;
      }
      return -1;
    }
    index.find(request);
    let number = index.next();
    while (number >= 0) {
      this.evaluated++;
      if (unchecked(this.rules[number]).matches(request, this.permits)) return number;
      number = index.next();
    }
    return -1;
  }
}

/** What a set of policies says of a request. */
export enum Verdict {
  Allowed,
  /** A DENY policy matched: `denies` says which. */
  Denied,
  /** There are ALLOW policies and none matched. */
  NotAllowed,
}

/** DENY and ALLOW policies that are decided together: those in force, or those on trial. */
export class PolicySet {
  readonly denies: PolicyList = new PolicyList(false);
  readonly allows: PolicyList = new PolicyList(true);

  /** Whether there is nothing to decide by. */
  get isEmpty(): bool {
    return this.denies.policies.length + this.allows.policies.length == 0;
  }

  /** Ends the configuration. */
  seal(): void {
    this.denies.seal();
    this.allows.seal();
  }

  /** Returns the verdict: allowed when no DENY matches, and an ALLOW does or there is none (Istio's order). */
  decide(request: AuthorizationRequest): Verdict {
    this.allows.evaluated = 0;
    if (this.denies.firstOf(request)) return Verdict.Denied;
    if (this.allows.policies.length == 0 || this.allows.firstOf(request)) return Verdict.Allowed;
    return Verdict.NotAllowed;
  }
}

/** All policies before a workload. */
export class Policies {
  readonly enforced: PolicySet = new PolicySet();
  /** Policies whose decision is only told (annotation `istio.io/dry-run`). */
  readonly trial: PolicySet = new PolicySet();
  readonly audits: PolicyList = new PolicyList(false);

  /** Ends the configuration. */
  seal(): void {
    this.enforced.seal();
    this.trial.seal();
    this.audits.seal();
  }
}
