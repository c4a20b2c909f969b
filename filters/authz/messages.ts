// consumes: decided policies
// produces: the response code details, log lines and filter state that tell of the decision
// never does: allocate per request; speak to the client
import { Bytes, BytesWriter, literal } from "as-proxy-wasm-sdk";
import { PolicyList, PolicySet, Verdict } from "../policy/authorization";

const DETAILS = literal("rbac_access_denied_matched_policy[");
const NONE = literal("none");
const NOT_ALLOWED = literal(",not_allowed_by[");
const MORE = literal(",...");
const NAMES_AT_MOST = 8;
const ALLOWED_BY = literal("allowed by ");
const DENIED_BY = literal("denied by ");
const AUTHZ = literal("authz: ");
const DRY_RUN = literal("authz: dry run: ");
const AUDIT = literal("authz: audited by ");
const COUNTED = literal(" (rules looked at: ");
const OF = literal(" of ");

/** Everything is put together here, and handed over before the next text is. */
const text = new BytesWriter(512);

/**
 * Returns `rbac_access_denied_matched_policy[<namespace>/<name>[<rule>]]`, or
 * `…[none],not_allowed_by[<namespace>/<name>,…]` with the ALLOW policies of which none matched: who reads the log must
 * know where to look.
 */
export function refusalDetails(set: PolicySet): Bytes {
  text.clear().bytes(DETAILS);
  writeMatch(set.denies);
  text.byte(0x5d);
  if (set.denies.policy < 0) writeNames(set.allows);
  return text.result;
}

/** Returns `authz: denied by <namespace>/<name>[<rule>] (rules looked at: 2 of 1000)`. */
export function decisionLine(set: PolicySet, verdict: Verdict): Bytes {
  text.clear().bytes(AUTHZ);
  writeVerdict(set, verdict);
  writeCounts(set);
  return text.result;
}

/** Returns `authz: dry run: denied by <namespace>/<name>[<rule>] …`. */
export function trialLine(set: PolicySet, verdict: Verdict): Bytes {
  text.clear().bytes(DRY_RUN);
  writeVerdict(set, verdict);
  writeCounts(set);
  return text.result;
}

/** Returns `denied by <namespace>/<name>[<rule>]` or the like: what an access log shows. */
export function trialText(set: PolicySet, verdict: Verdict): Bytes {
  text.clear();
  writeVerdict(set, verdict);
  return text.result;
}

/** Returns `authz: audited by <namespace>/<name>[<rule>]`. */
export function auditLine(audits: PolicyList): Bytes {
  text.clear().bytes(AUDIT);
  writeMatch(audits);
  return text.result;
}

/** Returns `<namespace>/<name>[<rule>]` of the AUDIT policy that matched. */
export function auditText(audits: PolicyList): Bytes {
  text.clear();
  writeMatch(audits);
  return text.result;
}

function writeVerdict(set: PolicySet, verdict: Verdict): void {
  text.bytes(verdict == Verdict.Allowed ? ALLOWED_BY : DENIED_BY);
  // Without ALLOW policies nothing allowed the request but that nobody denied it.
  if (verdict == Verdict.Allowed && set.allows.policies.length > 0) writeMatch(set.allows);
  else writeMatch(set.denies);
}

function writeCounts(set: PolicySet): void {
  text
    .bytes(COUNTED)
    .integer(set.denies.evaluated + set.allows.evaluated)
    .bytes(OF)
    .integer(set.denies.ruleCount + set.allows.ruleCount)
    .byte(0x29);
}

/** Appends `<namespace>/<name>[<rule>]` of the policy that matched, or `none`. */
function writeMatch(list: PolicyList): void {
  if (list.policy < 0) text.bytes(NONE);
  else text.text(list.policies[list.policy].name).byte(0x5b).integer(list.rule).byte(0x5d);
}

/** Appends the names of the ALLOW policies, as many as an access log should hold. */
function writeNames(allows: PolicyList): void {
  const names = allows.policies;
  if (names.length == 0) return;
  text.bytes(NOT_ALLOWED);
  for (let i = 0; i < min(names.length, NAMES_AT_MOST); i++) {
    if (i > 0) text.byte(0x2c);
    text.text(names[i].name);
  }
  if (names.length > NAMES_AT_MOST) text.bytes(MORE);
  text.byte(0x5d);
}
