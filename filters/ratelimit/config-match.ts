// Which requests a limit is about, as the configuration writes it.
import { Json } from "as-proxy-wasm-sdk";
import { Clause, Condition } from "../policy/authorization-condition";
import { Subject } from "../policy/authorization-request";
import { utf8 } from "../policy/bytes";
import { parseCidr } from "../policy/cidr";
import { createWildcardMatch, MatchKind, StringMatch } from "../policy/string-match";

const NO_NAME = new StaticArray<u8>(0);
const FIELDS: string[] = ["methods", "paths", "hosts", "ipBlocks", "remoteIpBlocks"];
const NOT_FIELDS: string[] = ["notMethods", "notPaths", "notHosts", "notIpBlocks", "notRemoteIpBlocks"];
const SUBJECTS: Subject[] = [Subject.Method, Subject.Path, Subject.Host, Subject.PeerIp, Subject.RemoteIp];

/** Adds what the requests must be like. Mistakes are kept in the document. */
export function parseMatch(json: Json, clause: Clause): void {
  json.object().only(FIELDS.concat(NOT_FIELDS).concat(["headers", "queryParameters"]));
  for (let i = 0; i < FIELDS.length; i++) {
    addList(clause, json.get(FIELDS[i]).list(), SUBJECTS[i], false);
    addList(clause, json.get(NOT_FIELDS[i]).list(), SUBJECTS[i], true);
  }
  addNamed(clause, json.get("headers").list(), Subject.Header);
  addNamed(clause, json.get("queryParameters").list(), Subject.Query);
}

function addList(clause: Clause, list: Json, subject: Subject, negated: bool): void {
  if (list.length == 0) return;
  const condition = new Condition(subject, negated, NO_NAME);
  for (let i = 0; i < list.length; i++) {
    if (subject == Subject.PeerIp || subject == Subject.RemoteIp) addBlock(condition, list.at(i));
    else addPattern(condition, list.at(i));
  }
  if (subject == Subject.PeerIp || subject == Subject.RemoteIp) condition.seal();
  clause.conditions.push(condition);
}

function addPattern(condition: Condition, json: Json): void {
  const pattern = json.string();
  if (pattern == "*") condition.strings.push(new StringMatch(MatchKind.Present, "", false, null));
  else if (condition.subject == Subject.Path) {
    const fault = condition.addPath(pattern);
    if (fault.length > 0) json.failWith(fault);
  } else condition.strings.push(createWildcardMatch(pattern, condition.subject == Subject.Host));
}

function addBlock(condition: Condition, json: Json): void {
  const block = parseCidr(json.string());
  if (block == null) json.fail("an address or a block such as 10.0.0.0/8");
  else condition.addBlock(block);
}

/** `{name, values}` or `{name, notValues}`. */
function addNamed(clause: Clause, list: Json, subject: Subject): void {
  for (let i = 0; i < list.length; i++) {
    const json = list.at(i).object().only(["name", "values", "notValues"]);
    const name = json.get("name").string();
    if (name.length == 0) json.get("name").fail("a name");
    const negated = json.get("values").isMissing;
    const values = json.get(negated ? "notValues" : "values").list();
    if (json.get("notValues").isMissing == negated || values.length == 0)
      json.fail("one of values and notValues, with a pattern at least");
    const condition = new Condition(subject, negated, utf8(subject == Subject.Header ? name.toLowerCase() : name));
    for (let j = 0; j < values.length; j++) condition.addText(values.at(j).string());
    condition.seal();
    clause.conditions.push(condition);
  }
}
