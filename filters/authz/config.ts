// consumes: the plugin's JSON configuration (config.schema.json)
// produces: compiled policies, or the first mistake with its path (kept in the document)
// never does: skip what it does not understand: that would be a rule not enforced
import { Json } from "as-proxy-wasm-sdk";
import { Policies, Policy, PolicyList, PolicySet } from "../policy/authorization";
import { Rule } from "../policy/authorization-rule";
import { Clause, Condition } from "../policy/authorization-condition";
import { Subject } from "../policy/authorization-request";
import { parseDecimal, utf8, viewOf } from "../policy/bytes";
import { parseCidr } from "../policy/cidr";
import { createWildcardMatch } from "../policy/string-match";
import { parseConditionKey } from "./condition-key";

const NO_NAME = new StaticArray<u8>(0);

const POLICY_FIELDS: string[] = ["name", "action", "dryRun", "rules"];
const RULE_FIELDS: string[] = ["from", "to", "when"];
const CONDITION_FIELDS: string[] = ["key", "values", "notValues"];
const SOURCE_FIELDS: string[] = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "trustDomains",
  "notTrustDomains",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "ipBlocks",
  "notIpBlocks",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
];
const OPERATION_FIELDS: string[] = [
  "hosts",
  "notHosts",
  "ports",
  "notPorts",
  "methods",
  "notMethods",
  "paths",
  "notPaths",
];

/** Returns the policies of a configuration. Look at its document's `error` before using them. */
export function parsePolicies(configuration: Json): Policies {
  const policies = new Policies();
  const root = configuration.object().only(["policies"]);
  const list = root.get("policies").list();
  for (let i = 0; i < list.length; i++) {
    const json = list.at(i).object().only(POLICY_FIELDS);
    const set = json.get("dryRun").booleanOr(false) ? policies.trial : policies.enforced;
    listFor(json, policies, set).add(parsePolicy(json));
  }
  policies.seal();
  return policies;
}

/** AUDIT refuses nothing, so on trial it is as good as none. */
function listFor(json: Json, policies: Policies, set: PolicySet): PolicyList {
  const action = json.get("action");
  const text = action.string();
  if (text == "DENY") return set.denies;
  if (text == "ALLOW") return set.allows;
  if (text != "AUDIT") action.fail("ALLOW, DENY or AUDIT");
  else if (set === policies.trial) json.get("dryRun").fail("false for AUDIT");
  return policies.audits;
}

function parsePolicy(json: Json): Policy {
  const policy = new Policy(json.get("name").string());
  const rules = json.get("rules").list();
  for (let i = 0; i < rules.length; i++) policy.rules.push(parseRule(rules.at(i)));
  return policy;
}

function parseRule(json: Json): Rule {
  json.object().only(RULE_FIELDS);
  const rule = new Rule();
  const from = filled(json.get("from"));
  if (from.length > 0) rule.from = [];
  for (let i = 0; i < from.length; i++) rule.from.push(parseSource(from.at(i)));
  const to = filled(json.get("to"));
  if (to.length > 0) rule.to = [];
  for (let i = 0; i < to.length; i++) rule.to.push(parseOperation(to.at(i)));
  const when = filled(json.get("when"));
  for (let i = 0; i < when.length; i++) parseWhen(when.at(i), rule.when);
  return rule;
}

/** A list that is there must hold something: an empty one would mean everybody where its author listed nobody. */
function filled(json: Json): Json {
  if (!json.isMissing && json.list().length == 0) json.fail("at least one entry: leave it out to match everything");
  return json;
}

function parseSource(json: Json): Clause {
  json.object().only(SOURCE_FIELDS);
  const clause = new Clause();
  addPair(clause, json, Subject.Principal, "principals", "notPrincipals");
  addPair(clause, json, Subject.RequestPrincipal, "requestPrincipals", "notRequestPrincipals");
  addPair(clause, json, Subject.TrustDomain, "trustDomains", "notTrustDomains");
  addPair(clause, json, Subject.Namespace, "namespaces", "notNamespaces");
  addPair(clause, json, Subject.ServiceAccount, "serviceAccounts", "notServiceAccounts");
  addPair(clause, json, Subject.PeerIp, "ipBlocks", "notIpBlocks");
  addPair(clause, json, Subject.RemoteIp, "remoteIpBlocks", "notRemoteIpBlocks");
  return clause;
}

function parseOperation(json: Json): Clause {
  json.object().only(OPERATION_FIELDS);
  const clause = new Clause();
  addPair(clause, json, Subject.DestinationPort, "ports", "notPorts");
  addPair(clause, json, Subject.Method, "methods", "notMethods");
  addPair(clause, json, Subject.Path, "paths", "notPaths");
  addPair(clause, json, Subject.Host, "hosts", "notHosts");
  return clause;
}

function parseWhen(json: Json, clause: Clause): void {
  json.object().only(CONDITION_FIELDS);
  const key = parseConditionKey(json.get("key"));
  const values = filled(json.get("values"));
  const notValues = filled(json.get("notValues"));
  if (values.length + notValues.length == 0) json.fail("values or notValues");
  addCondition(clause, values, key.condition(false));
  addCondition(clause, notValues, key.condition(true));
}

/** Many rules have few fields: nothing is made for those that are not there. */
function addPair(clause: Clause, json: Json, subject: Subject, field: string, notField: string): void {
  for (let i = 0; i < json.length; i++) {
    const child = json.at(i);
    const negated = child.name == notField;
    if (negated || child.name == field) addCondition(clause, filled(child), new Condition(subject, negated, NO_NAME));
  }
}

/** Adds a condition if its list has values. */
function addCondition(clause: Clause, list: Json, condition: Condition): void {
  if (list.length == 0) return;
  for (let i = 0; i < list.length; i++) addValue(condition, list.at(i));
  condition.seal();
  clause.conditions.push(condition);
}

function addValue(condition: Condition, json: Json): void {
  const value = json.string();
  switch (condition.subject) {
    case Subject.PeerIp:
    case Subject.RemoteIp:
    case Subject.DestinationIp: {
      const block = parseCidr(value);
      if (block == null) json.fail("an address or block such as 10.0.0.0/8");
      else condition.addBlock(block);
      return;
    }
    case Subject.DestinationPort: {
      const port = parseDecimal(viewOf(utf8(value)));
      if (port < 1 || port > 65535) json.fail("a port from 1 to 65535 as a string");
      condition.addPort(port);
      return;
    }
    case Subject.Path: {
      const fault = condition.addPath(value);
      if (fault.length > 0) json.failWith(fault);
      return;
    }
    case Subject.ServiceAccount:
      return addServiceAccount(condition, json, value);
    case Subject.Metadata:
      // As Istio: a value in brackets is meant for the elements of a list.
      if (value.length > 2 && value.startsWith("[") && value.endsWith("]"))
        condition.addElement(value.substring(1, value.length - 1));
      else condition.addText(value);
      return;
    default:
      condition.addText(value);
  }
}

/** A service account is written `namespace/name`; each part may be a wildcard value. */
function addServiceAccount(condition: Condition, json: Json, value: string): void {
  const slash = value.indexOf("/");
  if (slash <= 0 || slash == value.length - 1 || value.indexOf("/", slash + 1) >= 0) json.fail("namespace/name");
  condition.patterns.push(value);
  condition.strings.push(createWildcardMatch(value.substring(0, slash), false));
  condition.strings.push(createWildcardMatch(value.substring(slash + 1), false));
}
