// consumes: the rules of all policies of one action
// produces: the few of them that a request could match, in their order
// never does: leave out a rule that matches (rules that no key finds are always looked at)
import { Clause, Condition } from "./authorization-condition";
import { AuthorizationRequest, Subject } from "./authorization-request";
import { equals, viewOf } from "./bytes";
import { Rule } from "./authorization";
import { Dimension, KeyTaker } from "./rule-dimension";
import { RuleMarks } from "./rule-marks";
import { mix } from "./text-set";

/** So many headers, claims and other subjects are worth looking up for each request; rules on others are always looked at. */
const DIMENSIONS_AT_MOST = 32;

/** Keys of which every request has one that the rule matches. */
class Facet {
  keys: u64[] = [];
  dimensions: Dimension[] = [];
}

/** An index over rules, which are known by their numbers. */
export class RuleIndex extends KeyTaker {
  private readonly dimensions: Dimension[] = [];
  private readonly marks: RuleMarks;
  /** Rules that no key finds. */
  private always: i32[] = [];
  /** Open addressing: keys (0 is free), and where each one's rules stand in `rules`, behind their count. */
  private keys: StaticArray<u64> = new StaticArray<u64>(0);
  private starts: StaticArray<i32> = new StaticArray<i32>(0);
  private rules: i32[] = [];

  constructor(rules: Rule[], private readonly permits: bool) {
    super();
    this.marks = new RuleMarks(rules.length);
    const facets: Facet[][] = [];
    const counts = new Map<u64, i32>();
    for (let i = 0; i < rules.length; i++) {
      const found = this.facetsOf(rules[i]);
      facets.push(found);
      for (let j = 0; j < found.length; j++) count(found[j].keys, counts);
    }
    const buckets = new Map<u64, i32[]>();
    for (let i = 0; i < rules.length; i++) this.place(i, facets[i], counts, buckets);
    this.lay(buckets);
  }

  /** Marks the rules that a request could match; `next` gives them. Ends what was left of the last request. */
  find(request: AuthorizationRequest): void {
    this.marks.clear();
    for (let i = 0; i < this.always.length; i++) this.marks.add(unchecked(this.always[i]));
    for (let i = 0; i < this.dimensions.length; i++) {
      const dimension = unchecked(this.dimensions[i]);
      if (dimension.used) dimension.collect(request, this);
    }
  }

  /** Returns the number of the next rule to look at, ascending; -1 at the end. */
  next(): i32 {
    return this.marks.takeLowest();
  }

  override take(key: u64): void {
    const mask = this.keys.length - 1;
    const wanted = key == 0 ? 1 : key;
    let place = i32(mix(wanted)) & mask;
    while (true) {
      const found = unchecked(this.keys[place]);
      if (found == 0) return;
      if (found == wanted) break;
      place = (place + 1) & mask;
    }
    const start = unchecked(this.starts[place]);
    const end = start + unchecked(this.rules[start]);
    for (let i = start + 1; i <= end; i++) this.marks.add(unchecked(this.rules[i]));
  }

  /** What the rule could be found by: each condition of `when`, and each subject that all entries of `from` (or `to`) ask for. */
  private facetsOf(rule: Rule): Facet[] {
    const facets: Facet[] = [];
    this.addFacets(rule.from, facets);
    this.addFacets(rule.to, facets);
    for (let i = 0; i < rule.when.conditions.length; i++) {
      const facet = new Facet();
      if (this.extend(facet, rule.when.conditions[i])) facets.push(facet);
    }
    return facets;
  }

  private addFacets(clauses: Clause[], facets: Facet[]): void {
    if (clauses.length == 0) return;
    const first = clauses[0].conditions;
    for (let i = 0; i < first.length; i++) {
      const facet = new Facet();
      let whole = true;
      for (let j = 0; whole && j < clauses.length; j++) whole = this.extendBy(facet, clauses[j], first[i].subject);
      if (whole) facets.push(facet);
    }
  }

  /** Adds the keys of the clause's condition on `subject`, else those of whichever has some; false when none has. */
  private extendBy(facet: Facet, clause: Clause, subject: Subject): bool {
    for (let i = 0; i < clause.conditions.length; i++) {
      if (clause.conditions[i].subject == subject && this.extend(facet, clause.conditions[i])) return true;
    }
    for (let i = 0; i < clause.conditions.length; i++) if (this.extend(facet, clause.conditions[i])) return true;
    return false;
  }

  private extend(facet: Facet, condition: Condition): bool {
    const dimension = this.dimensionOf(condition);
    if (dimension == null) return false;
    const keys = dimension.keysOf(condition);
    if (keys == null) return false;
    for (let i = 0; i < keys.length; i++) facet.keys.push(keys[i]);
    facet.dimensions.push(dimension);
    return true;
  }

  private dimensionOf(condition: Condition): Dimension | null {
    if (condition.negated || condition.subject == Subject.Metadata) return null;
    for (let i = 0; i < this.dimensions.length; i++) {
      const known = this.dimensions[i];
      if (known.subject == condition.subject && equals(viewOf(known.name), viewOf(condition.name))) return known;
    }
    if (this.dimensions.length == DIMENSIONS_AT_MOST) return null;
    const dimension = new Dimension(this.dimensions.length, condition.subject, condition.name, condition.claim, this.permits);
    this.dimensions.push(dimension);
    return dimension;
  }

  /** Puts a rule under the keys of the facet whose fullest key is the emptiest. */
  private place(rule: i32, facets: Facet[], counts: Map<u64, i32>, buckets: Map<u64, i32[]>): void {
    let best = -1;
    let fewest = i32.MAX_VALUE;
    for (let i = 0; i < facets.length; i++) {
      const fullest = fullestOf(facets[i].keys, counts);
      if (fullest >= fewest) continue;
      best = i;
      fewest = fullest;
    }
    if (best < 0) {
      this.always.push(rule);
      return;
    }
    const facet = facets[best];
    for (let i = 0; i < facet.dimensions.length; i++) facet.dimensions[i].used = true;
    for (let i = 0; i < facet.keys.length; i++) {
      const key = facet.keys[i];
      if (!buckets.has(key)) buckets.set(key, []);
      const bucket = buckets.get(key);
      if (bucket.length == 0 || bucket[bucket.length - 1] != rule) bucket.push(rule);
    }
  }

  private lay(buckets: Map<u64, i32[]>): void {
    let size = 16;
    while (size < buckets.size * 2) size *= 2;
    this.keys = new StaticArray<u64>(size);
    this.starts = new StaticArray<i32>(size);
    const keys = buckets.keys();
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] == 0 ? 1 : keys[i];
      let place = i32(mix(key)) & (size - 1);
      while (this.keys[place] != 0) place = (place + 1) & (size - 1);
      this.keys[place] = key;
      this.starts[place] = this.rules.length;
      const bucket = buckets.get(keys[i]);
      this.rules.push(bucket.length);
      for (let j = 0; j < bucket.length; j++) this.rules.push(bucket[j]);
    }
  }
}

function count(keys: u64[], counts: Map<u64, i32>): void {
  for (let i = 0; i < keys.length; i++) counts.set(keys[i], counts.has(keys[i]) ? counts.get(keys[i]) + 1 : 1);
}

function fullestOf(keys: u64[], counts: Map<u64, i32>): i32 {
  let fullest = 0;
  for (let i = 0; i < keys.length; i++) fullest = max(fullest, counts.get(keys[i]));
  return fullest;
}
