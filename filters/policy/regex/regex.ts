// consumes: a pattern in RE2's syntax, then texts as UTF-8 bytes
// produces: whether a whole text matches, in time proportional to its length times the program's size
// never does: backtrack, allocate while matching, trap; bytes that are not UTF-8 match nothing, as in RE2
import { addressOf, lengthOf, Span } from "../bytes";
import { Assertion } from "./node";
import { Parser } from "./parse";
import { Assembler, MAX_PROGRAM, Op } from "./program";

/** The longest pattern accepted, in UTF-16 units. */
export const MAX_PATTERN = 1024;

/** A set of instruction numbers: insertion, membership and clearing in constant time, without initialised memory. */
class SparseSet {
  size: i32 = 0;
  dense: StaticArray<i32> = new StaticArray<i32>(0);
  private sparse: StaticArray<i32> = new StaticArray<i32>(0);

  reserve(capacity: i32): void {
    if (this.dense.length >= capacity) return;
    this.dense = new StaticArray<i32>(capacity);
    this.sparse = new StaticArray<i32>(capacity);
  }

  /** Adds a member; returns false when it was there. */
  add(member: i32): bool {
    const at = unchecked(this.sparse[member]);
    if (u32(at) < u32(this.size) && unchecked(this.dense[at]) == member) return false;
    unchecked((this.sparse[member] = this.size));
    unchecked((this.dense[this.size] = member));
    this.size++;
    return true;
  }
}

// One set of scratch space for all programs: a filter runs on one thread and a match is never interrupted.
let current = new SparseSet();
let following = new SparseSet();
let pending = new StaticArray<i32>(0);

/** A compiled regular expression. */
export class Regex {
  private readonly ops: StaticArray<i32>;
  private readonly x: StaticArray<i32>;
  private readonly y: StaticArray<i32>;
  private readonly ranges: StaticArray<i32>;
  private readonly classStarts: StaticArray<i32>;
  /** Two words per class: which of the 128 ASCII code points belong to it. */
  private readonly ascii: StaticArray<u64>;

  constructor(program: Assembler) {
    this.ops = StaticArray.fromArray(program.ops);
    this.x = StaticArray.fromArray(program.x);
    this.y = StaticArray.fromArray(program.y);
    this.ranges = StaticArray.fromArray(program.ranges);
    this.classStarts = StaticArray.fromArray(program.classStarts);
    const classes = program.classStarts.length - 1;
    this.ascii = new StaticArray<u64>(classes * 2);
    for (let i = 0; i < classes; i++) {
      for (let rune = 0; rune < 128; rune++) {
        if (this.inRanges(i, rune)) this.ascii[i * 2 + (rune >> 6)] |= u64(1) << (rune & 63);
      }
    }
    current.reserve(this.ops.length);
    following.reserve(this.ops.length);
    // Every split leaves at most one branch waiting.
    if (pending.length < this.ops.length + 1) pending = new StaticArray<i32>(this.ops.length + 1);
  }

  /** Returns how many instructions the program has. */
  get size(): i32 {
    return this.ops.length;
  }

  /** Returns whether the whole text matches. */
  matches(text: Span): bool {
    const start = addressOf(text);
    const end = start + lengthOf(text);
    let at = start;
    current.size = 0;
    this.follow(current, 0, at, start, end);
    while (at < end) {
      if (current.size == 0) return false;
      const rune = decodeRune(at, end);
      if (rune < 0) return false;
      at += widthOf(rune);
      following.size = 0;
      for (let i = 0; i < current.size; i++) {
        const pc = unchecked(current.dense[i]);
        if (unchecked(this.ops[pc]) == Op.Class && this.inClass(unchecked(this.x[pc]), rune)) this.follow(following, unchecked(this.y[pc]), at, start, end);
      }
      const swap = current;
      current = following;
      following = swap;
    }
    for (let i = 0; i < current.size; i++) {
      if (unchecked(this.ops[unchecked(current.dense[i])]) == Op.Match) return true;
    }
    return false;
  }

  /** Adds `pc` and everything reachable from it without taking input. */
  private follow(set: SparseSet, pc: i32, at: usize, start: usize, end: usize): void {
    let top = 0;
    unchecked((pending[top++] = pc));
    while (top > 0) {
      const next = unchecked(pending[--top]);
      if (!set.add(next)) continue;
      const op = unchecked(this.ops[next]);
      if (op == Op.Jump) unchecked((pending[top++] = unchecked(this.y[next])));
      else if (op == Op.Split) {
        unchecked((pending[top++] = unchecked(this.y[next])));
        unchecked((pending[top++] = unchecked(this.x[next])));
      } else if (op == Op.Assert && holds(unchecked(this.x[next]), at, start, end)) unchecked((pending[top++] = unchecked(this.y[next])));
    }
  }

  private inClass(index: i32, rune: i32): bool {
    if (rune < 128) return ((unchecked(this.ascii[index * 2 + (rune >> 6)]) >> (rune & 63)) & 1) != 0;
    return this.inRanges(index, rune);
  }

  private inRanges(index: i32, rune: i32): bool {
    const stop = unchecked(this.classStarts[index + 1]);
    for (let i = unchecked(this.classStarts[index]); i < stop; i += 2) {
      if (rune < unchecked(this.ranges[i])) return false;
      if (rune <= unchecked(this.ranges[i + 1])) return true;
    }
    return false;
  }
}

function holds(assertion: i32, at: usize, start: usize, end: usize): bool {
  switch (assertion) {
    case Assertion.BeginText:
      return at == start;
    case Assertion.EndText:
      return at == end;
    case Assertion.BeginLine:
      return at == start || load<u8>(at - 1) == 0x0a;
    case Assertion.EndLine:
      return at == end || load<u8>(at) == 0x0a;
    default: {
      const before = at > start && isWord(load<u8>(at - 1));
      const after = at < end && isWord(load<u8>(at));
      return (before != after) == (assertion == Assertion.WordBoundary);
    }
  }
}

function isWord(byte: u8): bool {
  return u8((byte | 0x20) - 0x61) < 26 || u8(byte - 0x30) < 10 || byte == 0x5f;
}

/** Returns the code point at `at`, or -1 where the bytes are not shortest-form UTF-8. */
function decodeRune(at: usize, end: usize): i32 {
  const first = i32(load<u8>(at));
  if (first < 0x80) return first;
  const width = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || end - at < usize(width)) return -1;
  let rune = first & (0x7f >> width);
  for (let i = 1; i < width; i++) {
    const byte = i32(load<u8>(at + i));
    if ((byte & 0xc0) != 0x80) return -1;
    rune = (rune << 6) | (byte & 0x3f);
  }
  return rune <= 0x10ffff && widthOf(rune) == width ? rune : -1;
}

// @ts-ignore: decorator
@inline
function widthOf(rune: i32): i32 {
  return rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
}

/** The result of `compileRegex`: `regex`, or null and what is wrong with the pattern. */
export class RegexResult {
  constructor(
    readonly regex: Regex | null,
    readonly error: string,
  ) {}
}

/**
 * Returns the compiled pattern (RE2 syntax, https://github.com/google/re2/wiki/Syntax, without \p{} and \C; (?i) folds ASCII letters),
 * or an error that says what is wrong at which offset. At most MAX_PATTERN units and MAX_PROGRAM instructions.
 */
export function compileRegex(pattern: string): RegexResult {
  if (pattern.length > MAX_PATTERN) return new RegexResult(null, "regular expression is longer than " + MAX_PATTERN.toString() + " characters");
  const parser = new Parser(pattern);
  const tree = parser.parse();
  if (parser.error.length > 0) return new RegexResult(null, parser.error);
  const program = new Assembler();
  program.assemble(tree);
  program.emit(Op.Match, 0, 0);
  if (program.overflow) return new RegexResult(null, "regular expression is too large (over " + MAX_PROGRAM.toString() + " instructions)");
  return new RegexResult(new Regex(program), "");
}
