// consumes: the authorization policies of a workload that wants Envoy's own RBAC
// produces: those that RBAC decides as the filter would, those that stay in the filter, and a note for each that stays
// never does: give up a meaning to make a policy fit
import type { Authorization, AuthorizationRule } from "../ir/authorization.ts";

/** Policies by the engine that decides them. */
export interface AuthorizationSplit {
  readonly native: readonly Authorization[];
  readonly wasm: readonly Authorization[];
  /** One sentence for each policy that stays in the Wasm filter. */
  readonly notes: readonly string[];
}

/**
 * Returns the split. A DENY or AUDIT policy stands alone. ALLOW policies are alternatives, which only one engine can
 * weigh: one that must stay keeps all of them (those on trial apart).
 */
export function splitAuthorization(policies: readonly Authorization[]): AuthorizationSplit {
  const reasons = new Map(
    policies.flatMap((policy) => {
      const reason = whyNotNative(policy);
      return reason === undefined ? [] : [[policy, reason] as const];
    }),
  );
  const held = new Set(
    [...reasons.keys()].filter(({ action }) => action === "ALLOW").map(({ dryRun }) => dryRun === true),
  );
  const stays = (policy: Authorization): boolean =>
    reasons.has(policy) || (policy.action === "ALLOW" && held.has(policy.dryRun === true));
  return {
    native: policies.filter((policy) => !stays(policy)),
    wasm: policies.filter(stays),
    notes: [...reasons].map(
      ([{ name }, reason]) => `AuthorizationPolicy ${name}: ${reason}, so it runs in the Wasm filter (engine: native)`,
    ),
  };
}

/**
 * Returns why Envoy's RBAC could not decide as the filter does. Envoy joins the lines of a repeated header before it
 * matches, or matches one of them, by its version: strictly (what lets in) only exact values without a comma, and
 * presence, can be asked so that no line that was added meets them.
 */
function whyNotNative({ action, rules }: Authorization): string | undefined {
  const permits = action === "ALLOW";
  for (const [index, rule] of rules.entries()) {
    const name = headerNames(rule).find((candidate) => candidate.split(/[-_]/).length > MOST_DASHES + 1);
    if (name !== undefined)
      return `rules[${index}] asks for the header "${name}", which has too many spellings for Envoy`;
    const value = strictHeaderValues(rule, permits).find((candidate) => !hasOneReading(candidate));
    if (value !== undefined)
      return `rules[${index}] matches a header by "${value}", which a repeated header could also meet for Envoy`;
  }
  return undefined;
}

/** RE2 counts repetitions up to 1,000. */
const LONGEST_VALUE = 200;

/** Each place of `-` in a header's name, where `_` may stand, doubles the names to ask for. */
const MOST_DASHES = 4;

function headerNames({ when }: AuthorizationRule): readonly string[] {
  return (when ?? []).flatMap(({ key }) => /^request\.headers\[(.+)\]$/.exec(key)?.[1] ?? []);
}

function strictHeaderValues(rule: AuthorizationRule, permits: boolean): readonly string[] {
  const headers = (rule.when ?? []).filter(({ key }) => key.startsWith("request.headers["));
  return headers.flatMap(({ values, notValues }) => (permits ? values : notValues) ?? []);
}

function hasOneReading(value: string): boolean {
  return (
    value === "*" ||
    (!value.startsWith("*") && !value.endsWith("*") && !value.includes(",") && value.length <= LONGEST_VALUE)
  );
}
