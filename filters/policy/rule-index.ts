// consumes: the rules of all policies of one action
// produces: the few of them that a request could match, in their order
// never does: leave out a rule that matches (rules that no key finds are always looked at)
import { Clause, Condition } from "./authorization-condition";
import { AuthorizationRequest, Subject } from "./authorization-request";
import { Rule } from "./authorization-rule";
import { equals, viewOf } from "./bytes";
import { KeyTable } from "./key-table";
import { Dimension, KeyList, KeyTaker } from "./rule-dimension";
import { RuleMarks } from "./rule-marks";

/**
 * So many headers, claims and other subjects are worth looking up for each request; rules on others are always looked
 * at.
 */
const DIMENSIONS_AT_MOST = 32;

/**
 * What a rule could be found by, one way after the other: keys, where each way's end, and its dimensions as bits. Used
 * again for every rule.
 */
class Facets {
  readonly keys: KeyList = new KeyList();
  count: i32 = 0;
  private ends: KeyList = new KeyList();
  private dimensions: KeyList = new KeyList();

  clear(): void {
    this.count = 0;
    this.keys.count = 0;
    this.ends.count = 0;
    this.dimensions.count = 0;
  }

  /** Ends a way that began at `start`: kept, or taken back. */
  end(start: i32, dimensions: u32, kept: bool): void {
    if (!kept) {
      this.keys.count = start;
      return;
    }
    this.count++;
    this.ends.push(u64(this.keys.count));
    this.dimensions.push(u64(dimensions));
  }

  startOf(facet: i32): i32 {
    return facet == 0 ? 0 : i32(this.ends.at(facet - 1));
  }

  endOf(facet: i32): i32 {
    return i32(this.ends.at(facet));
  }

  dimensionsOf(facet: i32): u32 {
    return u32(this.dimensions.at(facet));
  }
}

/** An index over rules, which are known by their numbers. */
export class RuleIndex extends KeyTaker {
  private readonly dimensions: Dimension[] = [];
  private readonly marks: RuleMarks;
  /** Rules that no key finds. */
  private always: i32[] = [];
  /** Where in `postings` the rules of a key stand, behind their count. */
  private readonly starts: KeyTable = new KeyTable();
  private postings: StaticArray<i32> = new StaticArray<i32>(0);

  constructor(
    rules: Rule[],
    private readonly permits: bool,
  ) {
    super();
    this.marks = new RuleMarks(rules.length);
    const facets = new Facets();
    const counts = new KeyTable();
    for (let i = 0; i < rules.length; i++) {
      this.findFacets(rules[i], facets);
      for (let j = 0; j < facets.keys.count; j++) counts.set(facets.keys.at(j), counts.get(facets.keys.at(j)) + 1);
    }
    const keys = new KeyList();
    const owners = new KeyList();
    for (let i = 0; i < rules.length; i++) {
      this.findFacets(rules[i], facets);
      this.place(i, facets, counts, keys, owners);
    }
    this.lay(keys, owners);
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
    const start = this.starts.get(key);
    if (start == 0) return;
    const end = start + unchecked(this.postings[start]);
    for (let i = start + 1; i <= end; i++) this.marks.add(unchecked(this.postings[i]));
  }

  /**
   * What the rule could be found by: each condition of `when`, and each subject that all entries of `from` (or `to`)
   * ask for.
   */
  private findFacets(rule: Rule, facets: Facets): void {
    facets.clear();
    this.addFacets(rule.from, facets);
    this.addFacets(rule.to, facets);
    for (let i = 0; i < rule.when.conditions.length; i++) {
      const start = facets.keys.count;
      const dimensions = this.extend(rule.when.conditions[i], facets.keys);
      facets.end(start, dimensions, dimensions != 0);
    }
  }

  private addFacets(clauses: Clause[], facets: Facets): void {
    if (clauses.length == 0) return;
    const first = clauses[0].conditions;
    for (let i = 0; i < first.length; i++) {
      const start = facets.keys.count;
      let dimensions: u32 = 0;
      let whole = true;
      for (let j = 0; whole && j < clauses.length; j++) {
        const found = this.extendBy(clauses[j], first[i].subject, facets.keys);
        dimensions |= found;
        whole = found != 0;
      }
      facets.end(start, dimensions, whole);
    }
  }

  /**
   * Adds the keys of the clause's condition on `subject`, else those of whichever has some; returns the dimension's
   * bit, 0 when none has.
   */
  private extendBy(clause: Clause, subject: Subject, keys: KeyList): u32 {
    for (let i = 0; i < clause.conditions.length; i++) {
      if (clause.conditions[i].subject != subject) continue;
      const found = this.extend(clause.conditions[i], keys);
      if (found != 0) return found;
    }
    for (let i = 0; i < clause.conditions.length; i++) {
      const found = this.extend(clause.conditions[i], keys);
      if (found != 0) return found;
    }
    return 0;
  }

  private extend(condition: Condition, keys: KeyList): u32 {
    const dimension = this.dimensionOf(condition);
    if (dimension == null) return 0;
    const before = keys.count;
    if (dimension.addKeysOf(condition, keys)) return u32(1) << dimension.number;
    keys.count = before;
    return 0;
  }

  private dimensionOf(condition: Condition): Dimension | null {
    if (condition.negated || condition.subject == Subject.Metadata) return null;
    for (let i = 0; i < this.dimensions.length; i++) {
      const known = this.dimensions[i];
      if (known.subject == condition.subject && equals(viewOf(known.name), viewOf(condition.name))) return known;
    }
    if (this.dimensions.length == DIMENSIONS_AT_MOST) return null;
    const dimension = new Dimension(
      this.dimensions.length,
      condition.subject,
      condition.name,
      condition.claim,
      this.permits,
    );
    this.dimensions.push(dimension);
    return dimension;
  }

  /** Puts a rule under the keys of the facet whose fullest key is the emptiest. */
  private place(rule: i32, facets: Facets, counts: KeyTable, keys: KeyList, owners: KeyList): void {
    let best = -1;
    let fewest = i32.MAX_VALUE;
    for (let i = 0; i < facets.count; i++) {
      let fullest = 0;
      for (let j = facets.startOf(i); j < facets.endOf(i); j++) fullest = max(fullest, counts.get(facets.keys.at(j)));
      if (fullest >= fewest) continue;
      best = i;
      fewest = fullest;
    }
    if (best < 0) {
      this.always.push(rule);
      return;
    }
    for (let i = 0; i < this.dimensions.length; i++)
      if ((facets.dimensionsOf(best) & (u32(1) << i)) != 0) this.dimensions[i].used = true;
    for (let i = facets.startOf(best); i < facets.endOf(best); i++) {
      keys.push(facets.keys.at(i));
      owners.push(u64(rule));
    }
  }

  /**
   * Lays the rules of each key side by side: counted first, then put in, in the order of their numbers. Places begin at
   * 1: 0 is "no such key".
   */
  private lay(keys: KeyList, owners: KeyList): void {
    for (let i = 0; i < keys.count; i++) this.starts.set(keys.at(i), this.starts.get(keys.at(i)) + 1);
    const sizes = this.starts;
    let next = 1;
    const places = new KeyTable();
    for (let i = 0; i < keys.count; i++) {
      if (places.get(keys.at(i)) != 0) continue;
      places.set(keys.at(i), next);
      next += sizes.get(keys.at(i)) + 1;
    }
    this.postings = new StaticArray<i32>(next);
    for (let i = 0; i < keys.count; i++) {
      const start = places.get(keys.at(i));
      const count = ++this.postings[start];
      this.postings[start + count] = i32(owners.at(i));
    }
    for (let i = 0; i < keys.count; i++) this.starts.set(keys.at(i), places.get(keys.at(i)));
  }
}
