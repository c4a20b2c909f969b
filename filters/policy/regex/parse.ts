// consumes: the text of a regular expression in RE2's syntax
// produces: its syntax tree, or what is wrong and where
// never does: recurse deeper than MAX_NESTING, trap
import { Assertion, Node, NodeKind, repetitionFits } from "./node";
import { addAll, addFolded, MAX_RUNE, negate, normalize, perlClass, posixClass } from "./rune-class";
import { Scanner } from "./scanner";
import { unicodeClass } from "./unicode-class";

/** How deep groups may nest. */
const MAX_NESTING = 100;
/** The largest count in {n,m}, and the largest product of nested ones: RE2's. */
const MAX_REPEAT = 1000;

const FOLD = 1;
const DOT_NEWLINE = 2;
const MULTI_LINE = 4;
const UNGREEDY = 8;

/** Parses one pattern. `error` is "" when `parse` succeeded. */
export class Parser {
  private readonly scanner: Scanner;
  private flags: i32 = 0;
  private depth: i32 = 0;
  private names: string[] = [];

  constructor(pattern: string) {
    this.scanner = new Scanner(pattern);
  }

  /** What is wrong with the pattern, or "". */
  get error(): string {
    return this.scanner.error;
  }

  /** Returns the tree of the whole pattern; meaningless when `error` is set. */
  parse(): Node {
    const node = this.alternation();
    if (this.error.length == 0 && !this.scanner.done) this.scanner.fail("unexpected )");
    return node;
  }

  private alternation(): Node {
    const choices: Node[] = [this.sequence()];
    while (!this.scanner.done && this.scanner.take("|")) choices.push(this.sequence());
    return Node.ofList(NodeKind.Alternate, choices);
  }

  private sequence(): Node {
    const items: Node[] = [];
    let repeated = false;
    while (!this.scanner.done) {
      const next = this.scanner.peek();
      if (next == 0x7c || next == 0x29) break;
      if (this.scanner.takeRepetition()) {
        if (items.length == 0) this.scanner.fail("missing argument to repetition operator");
        else if (repeated) this.scanner.fail("repetition operators cannot be stacked");
        else items.push(this.repetition(items.pop()));
        repeated = true;
        continue;
      }
      repeated = false;
      this.atom(items);
    }
    return Node.ofList(NodeKind.Concat, items);
  }

  private repetition(child: Node): Node {
    const low = this.scanner.low;
    const high = this.scanner.high;
    this.scanner.take("?"); // lazy: the same set of full matches
    if (low > MAX_REPEAT || high > MAX_REPEAT) this.scanner.fail("repetition count is over 1000");
    else if (high >= 0 && low > high) this.scanner.fail("repetition bounds are the wrong way round");
    const node = Node.ofRepeat(child, low, high);
    if ((low >= 2 || high >= 2) && !repetitionFits(node, MAX_REPEAT))
      this.scanner.fail("nested repetition counts exceed 1000");
    return node;
  }

  private atom(items: Node[]): void {
    const scanner = this.scanner;
    const rune = scanner.next();
    if (rune == 0x28) this.group(items);
    else if (rune == 0x5b) items.push(this.bracket());
    else if (rune == 0x2e)
      items.push(Node.ofClass(this.flags & DOT_NEWLINE ? [0, MAX_RUNE] : [0, 0x09, 0x0b, MAX_RUNE]));
    else if (rune == 0x5e)
      items.push(Node.ofAssertion(this.flags & MULTI_LINE ? Assertion.BeginLine : Assertion.BeginText));
    else if (rune == 0x24)
      items.push(Node.ofAssertion(this.flags & MULTI_LINE ? Assertion.EndLine : Assertion.EndText));
    else if (rune == 0x5c) this.escaped(items);
    else items.push(this.literal(rune));
  }

  private literal(rune: i32): Node {
    const ranges: i32[] = [rune, rune];
    if (!(this.flags & FOLD)) return Node.ofClass(ranges);
    addFolded(ranges);
    return Node.ofClass(normalize(ranges));
  }

  private escaped(items: Node[]): void {
    const scanner = this.scanner;
    if (scanner.take("Q")) return this.quoted(items);
    const set = this.takeNamedSet();
    if (set != null) {
      items.push(Node.ofClass(set));
      return;
    }
    if (scanner.take("A")) items.push(Node.ofAssertion(Assertion.BeginText));
    else if (scanner.take("z")) items.push(Node.ofAssertion(Assertion.EndText));
    else if (scanner.take("b")) items.push(Node.ofAssertion(Assertion.WordBoundary));
    else if (scanner.take("B")) items.push(Node.ofAssertion(Assertion.NoWordBoundary));
    else if (scanner.take("C")) items.push(Node.ofClass([0, MAX_RUNE]));
    else items.push(this.literal(scanner.escape()));
  }

  private quoted(items: Node[]): void {
    const until = this.scanner.takeUntil("\\E");
    const text = until == "\0" ? this.scanner.takeRest() : until;
    const inner = new Scanner(text);
    while (!inner.done) items.push(this.literal(inner.next()));
  }

  /**
   * Takes the letter behind a backslash if it names a set (d s w p and their complements), and returns the set under
   * the flags in force, or null.
   */
  private takeNamedSet(): i32[] | null {
    const letter = this.scanner.peek();
    if (letter < 0) return null;
    if ((letter | 0x20) == 0x70) return this.unicodeSet();
    const set = perlClass(letter | 0x20);
    if (set == null) return null;
    this.scanner.next();
    const ranges = this.folded(set);
    return letter & 0x20 ? ranges : negate(ranges);
  }

  /** Reads `pN`, `p{Name}`, `p{^Name}` and the same with `P`. */
  private unicodeSet(): i32[] | null {
    const scanner = this.scanner;
    let negated = scanner.next() == 0x50;
    const name = scanner.take("{") ? scanner.takeUntil("}") : String.fromCharCode(max(scanner.next(), 0));
    const inner = name.startsWith("^");
    if (inner) negated = !negated;
    const set = unicodeClass(inner ? name.substring(1) : name);
    if (set == null) {
      scanner.fail("unknown class \\p{" + name + "}");
      return null;
    }
    const ranges = this.folded(set);
    return negated ? negate(ranges) : ranges;
  }

  private folded(set: i32[]): i32[] {
    const ranges = set.slice(0);
    if (this.flags & FOLD) addFolded(ranges);
    return normalize(ranges);
  }

  private group(items: Node[]): void {
    const scanner = this.scanner;
    const saved = this.flags;
    if (scanner.take("?")) {
      if (scanner.take("P<") || scanner.take("<")) this.groupName();
      else if (this.groupFlags()) return; // (?i) holds to the end of the group around it
    }
    if (++this.depth > MAX_NESTING) scanner.fail("groups nest too deeply");
    if (scanner.error.length > 0) return;
    const inner = this.alternation();
    this.depth--;
    if (!scanner.take(")")) scanner.fail("missing )");
    this.flags = saved;
    items.push(inner);
  }

  private groupName(): void {
    const name = this.scanner.takeUntil(">");
    let valid = name.length > 0;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      if (!isNamePart(unit)) valid = false;
    }
    if (!valid) this.scanner.fail("invalid group name");
    else if (this.names.includes(name)) this.scanner.fail("group name used twice: " + name);
    else this.names.push(name);
  }

  /** Reads the flags after `(?`. Returns whether the group ended with them. */
  private groupFlags(): bool {
    const scanner = this.scanner;
    let on = true;
    let seen = false;
    let flags = this.flags;
    while (scanner.error.length == 0) {
      const rune = scanner.next();
      const bit =
        rune == 0x69 ? FOLD : rune == 0x73 ? DOT_NEWLINE : rune == 0x6d ? MULTI_LINE : rune == 0x55 ? UNGREEDY : 0;
      if (bit != 0) {
        seen = true;
        flags = on ? flags | bit : flags & ~bit;
      } else if (rune == 0x2d && on) {
        on = false;
        seen = false;
      } else if ((rune == 0x3a || rune == 0x29) && (on || seen)) {
        this.flags = flags;
        return rune == 0x29;
      } else scanner.fail("unknown group syntax after (?");
    }
    return true;
  }

  private bracket(): Node {
    const scanner = this.scanner;
    const negated = scanner.take("^");
    const ranges: i32[] = [];
    let first = true;
    while (first || scanner.peek() != 0x5d) {
      if (scanner.done) {
        scanner.fail("missing ]");
        return new Node(NodeKind.Empty);
      }
      first = false;
      this.bracketItem(ranges);
    }
    scanner.next();
    const set = normalize(ranges);
    return Node.ofClass(negated ? negate(set) : set);
  }

  private bracketItem(ranges: i32[]): void {
    const scanner = this.scanner;
    if (scanner.peek() == 0x5b && scanner.ahead(1) == 0x3a && this.posix(ranges)) return;
    if (scanner.peek() == 0x5c) {
      const mark = scanner.mark();
      scanner.next();
      const set = this.takeNamedSet();
      if (set != null) addAll(ranges, set);
      if (set != null || scanner.error.length > 0) return;
      scanner.rewind(mark);
    }
    const low = this.bracketRune();
    let high = low;
    if (scanner.peek() == 0x2d && scanner.ahead(1) != 0x5d && scanner.ahead(1) >= 0) {
      scanner.next();
      high = this.bracketRune();
      if (high < low) scanner.fail("range is the wrong way round");
    }
    if (scanner.error.length > 0) return;
    const one: i32[] = [low, high];
    if (this.flags & FOLD) addFolded(one);
    addAll(ranges, one);
  }

  private bracketRune(): i32 {
    const rune = this.scanner.next();
    if (rune < 0) return this.scanner.fail("missing ]");
    return rune == 0x5c ? this.scanner.escape() : rune;
  }

  /** Reads `[:name:]`. Returns false (nothing taken) when it is not closed: then `[` is a literal. */
  private posix(ranges: i32[]): bool {
    const scanner = this.scanner;
    const mark = scanner.mark();
    scanner.take("[:");
    const name = scanner.takeUntil(":]");
    if (name == "\0") {
      scanner.rewind(mark);
      return false;
    }
    const negated = name.startsWith("^");
    const set = posixClass(negated ? name.substring(1) : name);
    if (set == null) scanner.fail("unknown class [:" + name + ":]");
    else addAll(ranges, negated ? negate(this.folded(set)) : this.folded(set));
    return true;
  }
}

/** RE2 allows letters, digits and connectors of Unicode; over bytes those are Latin-1's. */
function isNamePart(unit: i32): bool {
  const lower = unit | 0x20;
  if ((lower >= 0x61 && lower <= 0x7a) || (unit >= 0x30 && unit <= 0x39) || unit == 0x5f) return true;
  return unit == 0xaa || unit == 0xb5 || unit == 0xba || (unit >= 0xc0 && unit != 0xd7 && unit != 0xf7);
}
