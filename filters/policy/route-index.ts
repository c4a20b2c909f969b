// consumes: which values of one attribute (a header, a query parameter, the path, the authority) which rules want
// exactly
// produces: the rules that want a given value, in order, without looking at the others
// never does: allocate while looking up; say that such a rule matches: its other conditions are still to be asked
import { addressOf, equals, lengthOf, Span, spanOf } from "./bytes";
import { mix, TEXT_HASH, textHash } from "./text-set";

/** What a rule's exact condition looks at. */
export enum IndexedBy {
  Header,
  Query,
  Path,
  Authority,
}

/** Fewer values than this are compared one by one. */
export const LEAST_INDEXED: i32 = 8;

/**
 * One attribute's values. Texts lie one behind the other in one block: ten thousand of them are a few hundred kilobytes
 * at most.
 */
export class ValueIndex {
  private text: StaticArray<u8> = new StaticArray<u8>(256);
  private used: i32 = 0;
  private offsets: i32[] = [];
  private lengths: i32[] = [];
  /** Per value: its first entry; per entry: the rule, and the value's next entry (-1: none). */
  private heads: i32[] = [];
  private tails: i32[] = [];
  private rules: i32[] = [];
  private nexts: i32[] = [];
  /** Value number plus one by hash; 0 is a free place. */
  private places: StaticArray<i32> = new StaticArray<i32>(16);

  constructor(
    readonly by: IndexedBy,
    /** Index of the header among the table's; for query parameters its name's number; else -1. */
    readonly name: i32,
  ) {}

  /** Notes that `rule` wants `value`. Rules come in order; a rule that wants a value twice is noted once. */
  add(value: Span, rule: i32): void {
    const place = this.placeOf(value);
    const known = this.places[place] - 1;
    if (known >= 0 && this.rules[this.tails[known]] == rule) return;
    this.rules.push(rule);
    this.nexts.push(-1);
    const entry = this.rules.length - 1;
    if (known >= 0) {
      this.nexts[this.tails[known]] = entry;
      this.tails[known] = entry;
      return;
    }
    this.heads.push(entry);
    this.tails.push(entry);
    this.keep(value);
    this.places[place] = this.heads.length;
    if (this.heads.length * 2 > this.places.length) this.enlarge();
  }

  /** Returns the first entry of a value, or -1 when no rule wants it (an absent value: none does). */
  first(value: Span): i32 {
    if (value == 0) return -1;
    const known = unchecked(this.places[this.placeOf(value)]) - 1;
    return known < 0 ? -1 : unchecked(this.heads[known]);
  }

  /** Returns the entry's rule. */
  ruleAt(entry: i32): i32 {
    return unchecked(this.rules[entry]);
  }

  /** Returns the value's next entry, or -1. */
  next(entry: i32): i32 {
    return unchecked(this.nexts[entry]);
  }

  private keep(value: Span): void {
    const length = lengthOf(value);
    if (this.used + length > this.text.length) {
      let capacity = this.text.length;
      while (capacity < this.used + length) capacity *= 2;
      const larger = new StaticArray<u8>(capacity);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.text), this.used);
      this.text = larger;
    }
    memory.copy(changetype<usize>(this.text) + this.used, addressOf(value), length);
    this.offsets.push(this.used);
    this.lengths.push(length);
    this.used += length;
  }

  private valueAt(index: i32): Span {
    return spanOf(changetype<usize>(this.text) + unchecked(this.offsets[index]), unchecked(this.lengths[index]));
  }

  private enlarge(): void {
    this.places = new StaticArray<i32>(this.places.length * 2);
    for (let i = 0; i < this.heads.length; i++) this.places[this.placeOf(this.valueAt(i))] = i + 1;
  }

  private placeOf(value: Span): i32 {
    const mask = this.places.length - 1;
    let place = i32(mix(textHash(value, TEXT_HASH, false))) & mask;
    while (true) {
      const index = unchecked(this.places[place]) - 1;
      if (index < 0 || equals(this.valueAt(index), value)) return place;
      place = (place + 1) & mask;
    }
  }
}

/** Notes a rule for each of its values, which stand one per line. */
export function addLines(index: ValueIndex, values: Span, rule: i32): void {
  const at = addressOf(values);
  const length = lengthOf(values);
  let start = 0;
  for (let i = 0; i <= length; i++) {
    if (i < length && load<u8>(at + i) != 0x0a) continue;
    index.add(spanOf(at + start, i - start), rule);
    start = i + 1;
  }
}

/** Returns how many values stand there, one per line. */
export function countLines(values: Span): i32 {
  let count = 1;
  for (let i = 0; i < lengthOf(values); i++) if (load<u8>(addressOf(values) + i) == 0x0a) count++;
  return count;
}
