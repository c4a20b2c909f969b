// consumes: a pattern in RE2's syntax, then texts as bytes
// produces: whether a whole text matches, as Envoy's RE2 decides it (over bytes: its Latin-1 mode)
// never does: backtrack, take memory while matching (states of the automaton come out of a bounded pool), trap
import { addressOf, lengthOf, Span, utf8 } from "../bytes";
import { Assertion } from "./node";
import { Parser } from "./parse";
import { Assembler, MAX_PROGRAM, Op } from "./program";
import { SparseSet } from "./sparse-set";
import {
  ACCEPTS,
  CONTEXT,
  DEAD,
  generation,
  internState,
  openPool,
  setWord,
  TRANSITIONS,
  UNKNOWN,
  word,
} from "./state-pool";

/** The longest pattern accepted, in UTF-16 units. */
export const MAX_PATTERN = 1024;
/** A build of states that is not used this often (bytes per state) is given up for the rest of a text. */
const LEAST_REUSE: i32 = 8;

// What is known of a position: of the byte before it and, when an assertion is decided, of the one behind it.
const BEGIN: i32 = 1;
const NEWLINE: i32 = 2;
const WORD: i32 = 4;

// One set of scratch space for all programs: a filter runs on one thread and a match is never interrupted.
const current = new SparseSet();
const following = new SparseSet();
let pending = new StaticArray<i32>(0);
let members = new StaticArray<i32>(0);
let compiled: i32 = 0;

/**
 * How many bytes were looked up and how many instructions were followed since the module began: what matching costs,
 * for tests.
 */
export let work: i64 = 0;

/**
 * A compiled regular expression: a nondeterministic program, and as much of the deterministic automaton as texts have
 * asked for.
 */
export class Regex {
  private readonly id: i32;
  private readonly ops: StaticArray<i32>;
  private readonly x: StaticArray<i32>;
  private readonly y: StaticArray<i32>;
  /** Four words per class: which of the 256 bytes belong to it. */
  private readonly bits: StaticArray<u64>;
  /** Bytes that no class and no assertion tells apart have one number. */
  private readonly classOf: StaticArray<u8> = new StaticArray<u8>(256);
  /** One byte of each number. */
  private readonly sample: StaticArray<u8> = new StaticArray<u8>(256);
  private classes: i32 = 0;
  private start: i32 = UNKNOWN;
  private startGeneration: i32 = 0;

  constructor(program: Assembler) {
    this.id = ++compiled;
    this.ops = StaticArray.fromArray(program.ops);
    this.x = StaticArray.fromArray(program.x);
    this.y = StaticArray.fromArray(program.y);
    this.bits = program.classBits();
    this.divideBytes(program.classStarts.length - 1);
    current.reserve(this.ops.length);
    following.reserve(this.ops.length);
    // Every split leaves at most one branch waiting.
    if (pending.length < this.ops.length + 1) pending = new StaticArray<i32>(this.ops.length + 1);
    if (members.length < this.ops.length) members = new StaticArray<i32>(this.ops.length);
    openPool();
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
    let state = this.startState();
    let built = 0;
    let since = at;
    while (at < end && state > DEAD) {
      const byteClass = i32(unchecked(this.classOf[load<u8>(at++)]));
      let next = word(state + TRANSITIONS + byteClass);
      if (next == UNKNOWN) {
        const before = generation;
        next = this.build(state, byteClass);
        built++;
        if (before != generation) {
          // `following` still holds the instructions of which `next` was made.
          if (i32(at - since) < built * LEAST_REUSE) return this.simulate(at, end);
          since = at;
          built = 0;
        }
      }
      state = next;
    }
    work += i64(at - start);
    return state > DEAD && this.accepts(state);
  }

  /** Numbers the bytes so that two of one number are in the same classes and the same to every assertion. */
  private divideBytes(count: i32): void {
    for (let byte = 0; byte < 256; byte++) {
      let found = -1;
      for (let i = 0; i < this.classes && found < 0; i++) {
        if (this.areAlike(byte, i32(this.sample[i]), count)) found = i;
      }
      if (found < 0) {
        found = this.classes++;
        this.sample[found] = u8(byte);
      }
      this.classOf[byte] = u8(found);
    }
  }

  private areAlike(a: i32, b: i32, count: i32): bool {
    if (contextOf(u8(a)) != contextOf(u8(b))) return false;
    for (let i = 0; i < count; i++) {
      if (this.inClass(i, a) != this.inClass(i, b)) return false;
    }
    return true;
  }

  private startState(): i32 {
    if (this.startGeneration == generation) return this.start;
    following.size = 0;
    this.follow(following, 0);
    this.start = this.intern(BEGIN);
    this.startGeneration = generation;
    return this.start;
  }

  /**
   * Returns the state behind `state` for a byte of this class, and remembers it there if nothing was forgotten
   * meanwhile.
   */
  private build(state: i32, byteClass: i32): i32 {
    const byte = unchecked(this.sample[byteClass]);
    this.restore(state);
    this.step(word(state + CONTEXT), byte);
    const before = generation;
    const next = this.intern(contextOf(byte));
    if (before == generation) setWord(state + TRANSITIONS + byteClass, next);
    return next;
  }

  private restore(state: i32): void {
    const list = state + TRANSITIONS + this.classes;
    const count = word(list);
    current.size = 0;
    for (let i = 1; i <= count; i++) current.add(word(list + i));
  }

  /** From `current`, with what is known of the byte before, over one byte to `following`. */
  private step(context: i32, byte: u8): void {
    const after = contextOf(byte);
    following.size = 0;
    for (let i = 0; i < current.size; i++) {
      const pc = unchecked(current.dense[i]);
      const op = unchecked(this.ops[pc]);
      if (op == Op.Class) {
        if (this.inClass(unchecked(this.x[pc]), byte)) this.follow(following, unchecked(this.y[pc]));
      } else if (op == Op.Assert && holds(unchecked(this.x[pc]), context, after, false))
        this.follow(current, unchecked(this.y[pc]));
    }
    work += current.size;
  }

  /** Adds `pc` and everything reachable from it without taking input or deciding an assertion. */
  private follow(set: SparseSet, pc: i32): void {
    let waiting = 0;
    unchecked((pending[waiting++] = pc));
    while (waiting > 0) {
      const next = unchecked(pending[--waiting]);
      if (!set.add(next)) continue;
      const op = unchecked(this.ops[next]);
      if (op == Op.Jump || op == Op.Split) unchecked((pending[waiting++] = unchecked(this.y[next])));
      if (op == Op.Split) unchecked((pending[waiting++] = unchecked(this.x[next])));
    }
  }

  /** The state of what is in `following`; order does not matter and jumps are done with. */
  private intern(context: i32): i32 {
    let count = 0;
    for (let i = 0; i < following.size; i++) {
      const pc = unchecked(following.dense[i]);
      const op = unchecked(this.ops[pc]);
      if (op == Op.Jump || op == Op.Split) continue;
      let to = count++;
      for (; to > 0 && unchecked(members[to - 1]) > pc; to--) unchecked((members[to] = unchecked(members[to - 1])));
      unchecked((members[to] = pc));
    }
    return internState(this.id, context, this.classes, members, count);
  }

  private accepts(state: i32): bool {
    const known = word(state + ACCEPTS);
    if (known != UNKNOWN) return known == 2;
    this.restore(state);
    const accepted = this.reachesEnd(word(state + CONTEXT));
    setWord(state + ACCEPTS, accepted ? 2 : 1);
    return accepted;
  }

  private reachesEnd(context: i32): bool {
    for (let i = 0; i < current.size; i++) {
      const pc = unchecked(current.dense[i]);
      const op = unchecked(this.ops[pc]);
      if (op == Op.Match) return true;
      if (op == Op.Assert && holds(unchecked(this.x[pc]), context, 0, true))
        this.follow(current, unchecked(this.y[pc]));
    }
    return false;
  }

  /**
   * Goes on from `following` at `at`, behind the first byte, without keeping states: at most `size` instructions for
   * each byte.
   */
  private simulate(at: usize, end: usize): bool {
    current.takeFrom(following);
    while (at < end && current.size > 0) {
      this.step(contextOf(load<u8>(at - 1)), load<u8>(at));
      current.takeFrom(following);
      at++;
    }
    return this.reachesEnd(contextOf(load<u8>(at - 1)));
  }

  private inClass(index: i32, byte: i32): bool {
    return ((unchecked(this.bits[(index << 2) + (byte >> 6)]) >> (byte & 63)) & 1) != 0;
  }
}

function contextOf(byte: u8): i32 {
  return byte == 0x0a ? NEWLINE : isWord(byte) ? WORD : 0;
}

function holds(assertion: i32, before: i32, after: i32, atEnd: bool): bool {
  switch (assertion) {
    case Assertion.BeginText:
      return before == BEGIN;
    case Assertion.EndText:
      return atEnd;
    case Assertion.BeginLine:
      return before == BEGIN || before == NEWLINE;
    case Assertion.EndLine:
      return atEnd || after == NEWLINE;
    default:
      return ((before == WORD) != (after == WORD)) == (assertion == Assertion.WordBoundary);
  }
}

function isWord(byte: u8): bool {
  return u8((byte | 0x20) - 0x61) < 26 || u8(byte - 0x30) < 10 || byte == 0x5f;
}

/** The result of `compileRegex`: `regex`, or null and what is wrong with the pattern. */
export class RegexResult {
  constructor(
    readonly regex: Regex | null,
    readonly error: string,
  ) {}
}

/**
 * Returns the compiled pattern (RE2 syntax, https://github.com/google/re2/wiki/Syntax, over the bytes of its UTF-8 as
 * Envoy reads it: `.` is one byte, `(?i)` folds ASCII letters), or an error that says what is wrong at which byte. At
 * most MAX_PATTERN units and MAX_PROGRAM instructions.
 */
export function compileRegex(pattern: string): RegexResult {
  if (pattern.length > MAX_PATTERN)
    return new RegexResult(null, "regular expression is longer than " + MAX_PATTERN.toString() + " characters");
  const parser = new Parser(byteUnits(pattern));
  const tree = parser.parse();
  if (parser.error.length > 0) return new RegexResult(null, parser.error);
  const program = new Assembler();
  program.assemble(tree);
  program.emit(Op.Match, 0, 0);
  if (program.overflow)
    return new RegexResult(null, "regular expression is too large (over " + MAX_PROGRAM.toString() + " instructions)");
  return new RegexResult(new Regex(program), "");
}

/** One UTF-16 unit for each byte of the text's UTF-8. */
function byteUnits(text: string): string {
  const bytes = utf8(text);
  const units = new Array<i32>(bytes.length);
  for (let i = 0; i < bytes.length; i++) units[i] = i32(bytes[i]);
  return String.fromCharCodes(units);
}
