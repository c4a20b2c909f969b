// consumes: the plugin's JSON configuration (config.schema.json)
// produces: compiled policies, or the first mistake with its path (kept in the document)
// never does: skip what it does not understand: that would be a rule not enforced
import { Json } from "as-proxy-wasm-sdk";
import { Clause, Condition, Policy, PolicySet, Rule, Subject } from "../policy/authorization";
import { parseDecimal, utf8, viewOf } from "../policy/bytes";
import { parseCidr } from "../policy/cidr";
import { createWildcardMatch, MatchKind, StringMatch } from "../policy/string-match";

const NO_NAME = new StaticArray<u8>(0);

const SOURCE_FIELDS: string[] = [
  "principals", "notPrincipals", "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts", "ipBlocks", "notIpBlocks",
  "remoteIpBlocks", "notRemoteIpBlocks",
];
const OPERATION_FIELDS: string[] = ["hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths"];
const CONDITION_KEYS = "request.headers[NAME], source.ip, remote.ip, source.namespace, source.principal, source.serviceAccount, destination.ip, destination.port, connection.sni";

/** Returns the policies of a configuration. Look at its document's `error` before using them. */
export function parsePolicies(configuration: Json): PolicySet {
  const set = new PolicySet();
  const root = configuration.object().only(["policies"]);
  const list = root.get("policies").list();
  for (let i = 0; i < list.length; i++) {
    const policy = parsePolicy(list.at(i));
    if (policy.deny) set.denies.push(policy);
    else set.allows.push(policy);
  }
  return set;
}

function parsePolicy(json: Json): Policy {
  json.object().only(["name", "action", "rules"]);
  const action = json.get("action");
  const text = action.string();
  if (text != "ALLOW" && text != "DENY") action.fail("ALLOW or DENY");
  const policy = new Policy(json.get("name").string(), text == "DENY");
  const rules = json.get("rules").list();
  for (let i = 0; i < rules.length; i++) policy.rules.push(parseRule(rules.at(i)));
  return policy;
}

function parseRule(json: Json): Rule {
  json.object().only(["from", "to", "when"]);
  const rule = new Rule();
  const from = json.get("from").list();
  for (let i = 0; i < from.length; i++) rule.from.push(parseSource(from.at(i)));
  const to = json.get("to").list();
  for (let i = 0; i < to.length; i++) rule.to.push(parseOperation(to.at(i)));
  const when = json.get("when").list();
  for (let i = 0; i < when.length; i++) parseWhen(when.at(i), rule.when);
  return rule;
}

function parseSource(json: Json): Clause {
  json.object().only(SOURCE_FIELDS);
  const clause = new Clause();
  addPair(clause, json, Subject.Principal, "principals", "notPrincipals");
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
  json.object().only(["key", "values", "notValues"]);
  const key = json.get("key").string();
  let name = NO_NAME;
  let subject = Subject.Header;
  if (key.startsWith("request.headers[") && key.endsWith("]") && key.length > 17) {
    name = utf8(key.substring(16, key.length - 1).toLowerCase());
  } else if (key == "source.ip") subject = Subject.PeerIp;
  else if (key == "remote.ip") subject = Subject.RemoteIp;
  else if (key == "source.namespace") subject = Subject.Namespace;
  else if (key == "source.principal") subject = Subject.Principal;
  else if (key == "source.serviceAccount") subject = Subject.ServiceAccount;
  else if (key == "destination.ip") subject = Subject.DestinationIp;
  else if (key == "destination.port") subject = Subject.DestinationPort;
  else if (key == "connection.sni") subject = Subject.ServerName;
  else json.get("key").fail("one of " + CONDITION_KEYS);
  const values = json.get("values").list();
  const notValues = json.get("notValues").list();
  if (values.length + notValues.length == 0) json.fail("values or notValues");
  addCondition(clause, values, new Condition(subject, false, name));
  addCondition(clause, notValues, new Condition(subject, true, name));
}

function addPair(clause: Clause, json: Json, subject: Subject, field: string, notField: string): void {
  addCondition(clause, json.get(field).list(), new Condition(subject, false, NO_NAME));
  addCondition(clause, json.get(notField).list(), new Condition(subject, true, NO_NAME));
}

/** Adds a condition if its list has values. */
function addCondition(clause: Clause, list: Json, condition: Condition): void {
  if (list.length == 0) return;
  for (let i = 0; i < list.length; i++) addValue(condition, list.at(i));
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
      else condition.blocks.push(block);
      return;
    }
    case Subject.DestinationPort: {
      const port = parseDecimal(viewOf(utf8(value)));
      if (port < 1 || port > 65535) json.fail("a port from 1 to 65535 as a string");
      condition.ports.push(port);
      return;
    }
    case Subject.Path: {
      const fault = condition.addPath(value);
      if (fault.length > 0) json.failWith(fault);
      return;
    }
    case Subject.ServiceAccount:
      return addServiceAccount(condition, json, value);
    case Subject.Header:
    case Subject.Host:
    case Subject.Method:
      if (value == "*") condition.strings.push(new StringMatch(MatchKind.Present, "", false, null));
      else condition.strings.push(createWildcardMatch(value, condition.subject == Subject.Host));
      return;
    default:
      condition.strings.push(createWildcardMatch(value, false));
  }
}

/** A service account is written `namespace/name`; each part may be a wildcard value. */
function addServiceAccount(condition: Condition, json: Json, value: string): void {
  const slash = value.indexOf("/");
  if (slash <= 0 || slash == value.length - 1 || value.indexOf("/", slash + 1) >= 0) json.fail("namespace/name");
  condition.strings.push(createWildcardMatch(value.substring(0, slash), false));
  condition.strings.push(createWildcardMatch(value.substring(slash + 1), false));
}
