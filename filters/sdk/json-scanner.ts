import { allocate } from "./abi/arena";
import { Bytes, EMPTY } from "./bytes";

/** What a JSON value is; `Missing` is what reading an absent field gives. */
export const enum JsonKind {
  Missing = 0,
  Null = 1,
  Boolean = 2,
  Number = 3,
  String = 4,
  Array = 5,
  Object = 6,
}

/** Reads RFC 8259 JSON piece by piece. Total: any bytes give pieces or a `problem`. For the SDK's own use. */
// @ts-ignore: decorator
@final
export class JsonScanner {
  /** Empty, or what is wrong and where. */
  problem: string = "";
  /** A string's bytes without escapes, a number's text; of the value that was read last. */
  text: Bytes = EMPTY;
  /** A number; 1 for true. */
  numeric: f64 = 0;
  private at: i32 = 0;

  constructor(private source: Bytes) {
    if (source.startsWith(BOM)) this.at = 3;
  }

  /** Reads the value that comes next, of a list or an object only the bracket. `Missing`: there is none. */
  value(): JsonKind {
    this.text = EMPTY;
    this.numeric = 0;
    this.blanks();
    const byte = this.source.at(this.at);
    if (byte == 0x7b || byte == 0x5b) {
      this.at++;
      return byte == 0x7b ? JsonKind.Object : JsonKind.Array;
    }
    if (byte == 0x22) {
      this.text = this.quoted();
      return JsonKind.String;
    }
    if (byte == 0x74) return this.word(TRUE, JsonKind.Boolean, 1);
    if (byte == 0x66) return this.word(FALSE, JsonKind.Boolean, 0);
    if (byte == 0x6e) return this.word(NULL, JsonKind.Null, 0);
    return this.number();
  }

  /** Reads a field's name; null where there is none. */
  fieldName(): string | null {
    this.blanks();
    if (this.source.at(this.at) != 0x22) {
      this.expected("a field name in quotes");
      return null;
    }
    return this.quoted().toString();
  }

  /** Reads this byte, behind blanks; false where another stands. */
  take(byte: u8): bool {
    this.blanks();
    return this.takeHere(byte);
  }

  /** Expects nothing but blanks up to the end. */
  end(): void {
    this.blanks();
    if (this.at < this.source.length) this.expected("nothing more");
  }

  /** Says, unless something was wrong before, what should stand where something else does. */
  expected(what: string): void {
    if (this.problem.length > 0) return;
    let line = 1,
      column = 1;
    const end = min(this.at, this.source.length);
    for (let i = 0; i < end; i++) {
      column++;
      if (this.source.at(i) == 0x0a) {
        line++;
        column = 1;
      }
    }
    this.problem = "not JSON: line " + line.toString() + ", column " + column.toString() + ": expected " + what;
  }

  private word(word: Bytes, kind: JsonKind, numeric: f64): JsonKind {
    if (!this.source.slice(this.at, this.at + word.length).equals(word)) return this.noValue("a value");
    this.at += word.length;
    this.numeric = numeric;
    return kind;
  }

  private number(): JsonKind {
    const start = this.at;
    this.takeHere(0x2d);
    const first = this.source.at(this.at);
    const whole = this.digits();
    if (whole == 0 || (whole > 1 && first == 0x30)) return this.noValue("a value");
    let simple = whole <= 15;
    if (this.takeHere(0x2e)) {
      simple = false;
      if (this.digits() == 0) return this.noValue("a digit");
    }
    if (this.takeHere(0x65) || this.takeHere(0x45)) {
      simple = false;
      if (!this.takeHere(0x2b)) this.takeHere(0x2d);
      if (this.digits() == 0) return this.noValue("a digit");
    }
    this.text = this.source.slice(start, this.at);
    this.numeric = simple ? <f64>this.text.toInteger(0) : parseFloat(this.text.toString());
    return JsonKind.Number;
  }

  private noValue(expected: string): JsonKind {
    this.expected(expected);
    return JsonKind.Missing;
  }

  private digits(): i32 {
    const start = this.at;
    while (<u32>(this.source.at(this.at) - 0x30) < 10) this.at++;
    return this.at - start;
  }

  /** A string's bytes: a view on the source, or unescaped in the arena if it holds escapes. */
  private quoted(): Bytes {
    const start = ++this.at;
    for (; this.at < this.source.length; this.at++) {
      const byte = this.source.at(this.at);
      if (byte == 0x22) return this.source.slice(start, this.at++);
      if (byte == 0x5c) return this.escapedText(start);
      if (byte < 0x20) break;
    }
    this.expected("the string's end");
    return this.source.slice(0, 0);
  }

  private escapedText(start: i32): Bytes {
    const base = allocate(this.source.length - start);
    let to = base + (this.at - start);
    memory.copy(base, this.source.ptr + start, this.at - start);
    while (this.at < this.source.length) {
      const byte = this.source.at(this.at++);
      if (byte == 0x22) return Bytes.view(base, <i32>(to - base));
      if (byte < 0x20) break;
      if (byte != 0x5c) store<u8>(to++, byte);
      else to = this.escape(to);
      if (this.problem.length > 0) break;
    }
    this.expected("the string's end");
    return this.source.slice(0, 0);
  }

  private escape(to: usize): usize {
    const byte = this.source.at(this.at++);
    if (byte == 0x75) return putUtf8(to, this.codePoint());
    let plain: u8 = byte;
    if (byte == 0x6e) plain = 0x0a;
    else if (byte == 0x74) plain = 0x09;
    else if (byte == 0x72) plain = 0x0d;
    else if (byte == 0x62) plain = 0x08;
    else if (byte == 0x66) plain = 0x0c;
    else if (byte != 0x22 && byte != 0x5c && byte != 0x2f) this.expected("an escape that JSON knows");
    store<u8>(to, plain);
    return to + 1;
  }

  /** A code point after `\u`, from one escape or a surrogate pair; a lone surrogate becomes U+FFFD. */
  private codePoint(): u32 {
    const unit = this.hex4();
    if (unit < 0xd800 || unit > 0xdfff) return unit;
    if (unit > 0xdbff || this.source.at(this.at) != 0x5c || this.source.at(this.at + 1) != 0x75) return 0xfffd;
    const before = this.at;
    this.at += 2;
    const low = this.hex4();
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    this.at = before;
    return 0xfffd;
  }

  private hex4(): u32 {
    let value: u32 = 0;
    for (let i = 0; i < 4; i++) {
      const byte: u32 = this.source.at(this.at);
      const letter = (byte | 0x20) - 0x61;
      if (byte - 0x30 < 10) value = (value << 4) | (byte - 0x30);
      else if (letter < 6) value = (value << 4) | (letter + 10);
      else {
        this.expected("four hexadecimal digits");
        return 0xfffd;
      }
      this.at++;
    }
    return value;
  }

  /** Goes to the next byte that is not blank. */
  blanks(): void {
    for (;;) {
      const byte = this.source.at(this.at);
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return;
      this.at++;
    }
  }

  private takeHere(byte: u8): bool {
    if (this.at >= this.source.length || this.source.at(this.at) != byte) return false;
    this.at++;
    return true;
  }
}

function putUtf8(to: usize, point: u32): usize {
  if (point < 0x80) {
    store<u8>(to, point);
    return to + 1;
  }
  if (point < 0x800) {
    store<u8>(to, 0xc0 | (point >> 6));
    store<u8>(to + 1, 0x80 | (point & 63));
    return to + 2;
  }
  if (point < 0x10000) {
    store<u8>(to, 0xe0 | (point >> 12));
    store<u8>(to + 1, 0x80 | ((point >> 6) & 63));
    store<u8>(to + 2, 0x80 | (point & 63));
    return to + 3;
  }
  store<u8>(to, 0xf0 | (point >> 18));
  store<u8>(to + 1, 0x80 | ((point >> 12) & 63));
  store<u8>(to + 2, 0x80 | ((point >> 6) & 63));
  store<u8>(to + 3, 0x80 | (point & 63));
  return to + 4;
}

const BOM: Bytes = Bytes.place(memory.data(8, 8), memory.data<u8>([0xef, 0xbb, 0xbf]), 3);
const TRUE: Bytes = Bytes.place(memory.data(8, 8), memory.data<u8>([0x74, 0x72, 0x75, 0x65]), 4);
const FALSE: Bytes = Bytes.place(memory.data(8, 8), memory.data<u8>([0x66, 0x61, 0x6c, 0x73, 0x65]), 5);
const NULL: Bytes = Bytes.place(memory.data(8, 8), memory.data<u8>([0x6e, 0x75, 0x6c, 0x6c]), 4);
