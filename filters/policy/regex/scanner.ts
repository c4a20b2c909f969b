// Walks a pattern, one UTF-16 unit for each byte of its UTF-8, and reads its escapes.
import { MAX_RUNE } from "./rune-class";

const BEYOND = "an escape is over \\xff: matching is by bytes, as in Envoy";

/** A position in a pattern. The first error stays; every reader stops at it. */
export class Scanner {
  private at: i32 = 0;
  error: string = "";
  /** Bounds of the repetition that was taken last; `high` -1: there is none. */
  low: i32 = 0;
  high: i32 = 0;

  constructor(private readonly text: string) {}

  /** Whether nothing is left to read, or an error was met. */
  get done(): bool {
    return this.error.length > 0 || this.at >= this.text.length;
  }

  /** Returns the next byte without taking it, or -1 at the end. */
  peek(): i32 {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : -1;
  }

  /** Returns the byte `ahead` of the position, or -1 behind the end. */
  ahead(ahead: i32): i32 {
    return this.at + ahead < this.text.length ? this.text.charCodeAt(this.at + ahead) : -1;
  }

  /** Takes and returns the next byte, or -1 at the end. */
  next(): i32 {
    const rune = this.peek();
    if (rune >= 0) this.at++;
    return rune;
  }

  /** Takes the ASCII text if it comes next, and returns whether it did. */
  take(text: string): bool {
    if (this.text.substr(this.at, text.length) != text) return false;
    this.at += text.length;
    return true;
  }

  /** Returns the position, to come back to with `rewind`. */
  mark(): i32 {
    return this.at;
  }

  /** Goes back to a marked position. */
  rewind(mark: i32): void {
    this.at = mark;
  }

  /**
   * Takes a repetition operator if one comes next, leaving its bounds in `low` and `high`. A `{` that is none is a
   * literal.
   */
  takeRepetition(): bool {
    this.low = 0;
    this.high = -1;
    if (this.take("*")) return true;
    if (this.take("+")) {
      this.low = 1;
      return true;
    }
    if (this.take("?")) {
      this.high = 1;
      return true;
    }
    const mark = this.mark();
    if (!this.take("{")) return false;
    this.low = this.number();
    this.high = this.low;
    if (this.low >= 0 && this.take(",")) this.high = this.peek() == 0x7d ? -1 : this.number();
    else if (this.low < 0) this.high = -2;
    const open = this.high == -1 && this.peek() == 0x7d;
    if (this.low >= 0 && (this.high >= 0 || open) && this.take("}")) return true;
    this.rewind(mark);
    return false;
  }

  /** Takes and returns everything up to `end`, and `end` itself; "\0" when it never comes (nothing is taken then). */
  takeUntil(end: string): string {
    const found = this.text.indexOf(end, this.at);
    if (found < 0) return "\0";
    const taken = this.text.substring(this.at, found);
    this.at = found + end.length;
    return taken;
  }

  /** Takes and returns all that is left. */
  takeRest(): string {
    const rest = this.text.substring(this.at);
    this.at = this.text.length;
    return rest;
  }

  /** Notes the first error, with where it is. Returns -1 so that readers can hand it on. */
  fail(message: string): i32 {
    if (this.error.length == 0) this.error = message + " (at offset " + this.at.toString() + ")";
    return -1;
  }

  /**
   * Reads a non-negative number as RE2 does inside {}: no leading zero; -1 when there is none. Huge numbers are capped.
   */
  number(): i32 {
    const first = this.ahead(0);
    if (!isDigit(first) || (first == 0x30 && isDigit(this.ahead(1)))) return -1;
    let total = 0;
    while (isDigit(this.ahead(0))) total = min(total * 10 + (this.next() - 0x30), 100_000_000);
    return total;
  }

  /** Reads what follows a backslash that stands for one byte. Returns it, or -1 after noting an error. */
  escape(): i32 {
    const rune = this.next();
    if (rune < 0) return this.fail("trailing backslash");
    if (rune >= 0x30 && rune <= 0x37) return this.octal(rune);
    if (rune == 0x78) return this.hex();
    if (rune == 0x61) return 0x07;
    if (rune == 0x66) return 0x0c;
    if (rune == 0x6e) return 0x0a;
    if (rune == 0x72) return 0x0d;
    if (rune == 0x74) return 0x09;
    if (rune == 0x76) return 0x0b;
    if (rune < 0x80 && !isDigit(rune) && !isLetter(rune)) return rune;
    return this.fail("unknown escape \\" + String.fromCharCode(rune));
  }

  /** A single digit 1-7 would be a backreference, which RE2 has not; with more octal digits, or 0, it is a byte. */
  private octal(first: i32): i32 {
    if (first != 0x30 && !isOctal(this.ahead(0))) return this.fail("backreferences are not supported");
    let value = first - 0x30;
    for (let i = 0; i < 2 && isOctal(this.ahead(0)); i++) value = value * 8 + (this.next() - 0x30);
    return value > MAX_RUNE ? this.fail(BEYOND) : value;
  }

  private hex(): i32 {
    if (this.take("{")) {
      let value = 0;
      let digits = 0;
      while (hexValue(this.ahead(0)) >= 0) {
        value = value * 16 + hexValue(this.next());
        digits++;
        if (value > MAX_RUNE) return this.fail(BEYOND);
      }
      return digits > 0 && this.take("}") ? value : this.fail("\\x{...} needs hexadecimal digits");
    }
    const high = hexValue(this.ahead(0));
    const low = hexValue(this.ahead(1));
    if (high < 0 || low < 0) return this.fail("\\x needs two hexadecimal digits");
    this.at += 2;
    return high * 16 + low;
  }
}

function isDigit(unit: i32): bool {
  return unit >= 0x30 && unit <= 0x39;
}

function isOctal(unit: i32): bool {
  return unit >= 0x30 && unit <= 0x37;
}

function isLetter(unit: i32): bool {
  return (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a);
}

function hexValue(unit: i32): i32 {
  if (isDigit(unit)) return unit - 0x30;
  if (unit >= 0x41 && unit <= 0x46) return unit - 0x37;
  if (unit >= 0x61 && unit <= 0x66) return unit - 0x57;
  return -1;
}
