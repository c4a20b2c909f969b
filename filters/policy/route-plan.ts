// consumes: a match list's rules with all their conditions
// produces: an index for every attribute that many rules compare with exact values, and the list of the rules that are
// in none
// never does: change what matches: an indexed condition is taken out of its rule because being found by it is its proof
import { viewOf } from "./bytes";
import { NamedMatch } from "./route-condition";
import { countLines, IndexedBy, LEAST_INDEXED } from "./route-index";
import { RouteRule, RouteTable } from "./route-match";
import { MatchKind, StringMatch } from "./string-match";

/** How many values the rules compare an attribute with. */
class Attribute {
  values: i32 = 0;

  constructor(
    readonly by: IndexedBy,
    readonly name: i32,
  ) {}
}

/** An exact condition of a rule. */
class Candidate {
  constructor(
    readonly attribute: Attribute,
    readonly match: StringMatch,
    /** Where the condition stands in its list. */
    readonly at: i32,
  ) {}
}

const attributes: Attribute[] = [];

/** Gives every rule of a table its place. Once, when all rules are there. */
export function planIndexes(table: RouteTable): void {
  attributes.length = 0;
  const rules = table.rules;
  const candidates = new Array<Candidate[]>();
  for (let i = 0; i < rules.length; i++) candidates.push(candidatesOf(rules[i]));
  for (let i = 0; i < rules.length; i++) place(table, i, candidates[i]);
  attributes.length = 0;
}

function candidatesOf(rule: RouteRule): Candidate[] {
  const found: Candidate[] = [];
  addNamed(found, IndexedBy.Header, rule.headers);
  addNamed(found, IndexedBy.Query, rule.queryParams);
  addOne(found, IndexedBy.Path, -1, rule.uri, 0);
  addOne(found, IndexedBy.Authority, -1, rule.authority, 0);
  return found;
}

function addNamed(found: Candidate[], by: IndexedBy, conditions: NamedMatch[]): void {
  for (let i = 0; i < conditions.length; i++) {
    if (!conditions[i].without) addOne(found, by, conditions[i].index, conditions[i].match, i);
  }
}

function addOne(found: Candidate[], by: IndexedBy, name: i32, match: StringMatch | null, at: i32): void {
  if (match == null || match.ignoreCase || (match.kind != MatchKind.Exact && match.kind != MatchKind.Lines)) return;
  const attribute = attributeOf(by, name);
  attribute.values += match.kind == MatchKind.Exact ? 1 : countLines(viewOf(match.bytes));
  found.push(new Candidate(attribute, match, at));
}

function attributeOf(by: IndexedBy, name: i32): Attribute {
  for (let i = 0; i < attributes.length; i++)
    if (attributes[i].by == by && attributes[i].name == name) return attributes[i];
  attributes.push(new Attribute(by, name));
  return attributes[attributes.length - 1];
}

/** The attribute with the most values tells a rule best from others. */
function place(table: RouteTable, number: i32, candidates: Candidate[]): void {
  let best: Candidate | null = null;
  for (let i = 0; i < candidates.length; i++) {
    if (candidates[i].attribute.values < LEAST_INDEXED) continue;
    if (best == null || candidates[i].attribute.values > best.attribute.values) best = candidates[i];
  }
  if (best == null) return table.addPlain(number);
  const rule = table.rules[number];
  if (best.attribute.by == IndexedBy.Header) rule.headers.splice(best.at, 1);
  else if (best.attribute.by == IndexedBy.Query) rule.queryParams.splice(best.at, 1);
  else if (best.attribute.by == IndexedBy.Path) rule.uri = null;
  else rule.authority = null;
  table.indexValues(
    best.attribute.by,
    best.attribute.name,
    viewOf(best.match.bytes),
    best.match.kind == MatchKind.Lines,
    number,
  );
}
