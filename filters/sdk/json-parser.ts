import { allocate } from "./abi/arena";
import { Bytes } from "./bytes";
import { Json, JsonDocument, JsonKind } from "./json";

const DEEPEST = 64;

/** Reads RFC 8259 JSON into `Json` values. Total: any bytes give a value or a `problem`. For the SDK's own use. */
// @ts-ignore: decorator
@final
export class JsonParser {
  /** Empty, or what is wrong and where. */
  problem: string = "";
  private at: i32 = 0;

  constructor(
    private source: Bytes,
    private document: JsonDocument,
  ) {}

  /** The document's one value. */
  parse(): Json {
    if (this.source.startsWith(BOM)) this.at = 3;
    const value = this.value(null, 0);
    this.blanks();
    if (this.at < this.source.length) this.expected("nothing more");
    return value;
  }

  private value(parent: Json | null, depth: i32): Json {
    const value = new Json();
    value.document = this.document;
    value.parent = parent;
    this.blanks();
    const byte = this.source.at(this.at);
    if (depth > DEEPEST) this.expected("at most 64 levels");
    else if (byte == 0x7b) this.object(value, depth);
    else if (byte == 0x5b) this.array(value, depth);
    else if (byte == 0x22) {
      value.kind = JsonKind.String;
      value.text = this.text();
    } else if (byte == 0x74) this.word(value, TRUE, JsonKind.Boolean, 1);
    else if (byte == 0x66) this.word(value, FALSE, JsonKind.Boolean, 0);
    else if (byte == 0x6e) this.word(value, NULL, JsonKind.Null, 0);
    else this.number(value);
    return value;
  }

  private object(value: Json, depth: i32): void {
    value.kind = JsonKind.Object;
    this.at++;
    this.blanks();
    if (this.take(0x7d)) return;
    value.children = [];
    while (this.problem.length == 0) {
      this.blanks();
      if (this.source.at(this.at) != 0x22) return this.expected("a field name in quotes");
      const name = this.text().toString();
      for (let i = 0; i < value.children.length; i++)
        if (value.children[i].name == name) return this.expected('field "' + name + '" only once');
      this.blanks();
      if (!this.take(0x3a)) return this.expected('":"');
      const child = this.value(value, depth + 1);
      child.name = name;
      value.children.push(child);
      this.blanks();
      if (this.take(0x7d)) return;
      if (!this.take(0x2c)) return this.expected('"," or "}"');
    }
  }

  private array(value: Json, depth: i32): void {
    value.kind = JsonKind.Array;
    this.at++;
    this.blanks();
    if (this.take(0x5d)) return;
    value.children = [];
    while (this.problem.length == 0) {
      const child = this.value(value, depth + 1);
      child.index = value.children.length;
      value.children.push(child);
      this.blanks();
      if (this.take(0x5d)) return;
      if (!this.take(0x2c)) return this.expected('"," or "]"');
    }
  }

  private word(value: Json, word: Bytes, kind: i32, numeric: f64): void {
    if (!this.source.slice(this.at, this.at + word.length).equals(word)) return this.expected("a value");
    this.at += word.length;
    value.kind = kind;
    value.numeric = numeric;
  }

  private number(value: Json): void {
    const start = this.at;
    this.take(0x2d);
    const first = this.source.at(this.at);
    const whole = this.digits();
    if (whole == 0 || (whole > 1 && first == 0x30)) return this.expected("a value");
    let simple = whole <= 15;
    if (this.take(0x2e)) {
      simple = false;
      if (this.digits() == 0) return this.expected("a digit");
    }
    if (this.take(0x65) || this.take(0x45)) {
      simple = false;
      if (!this.take(0x2b)) this.take(0x2d);
      if (this.digits() == 0) return this.expected("a digit");
    }
    value.kind = JsonKind.Number;
    value.text = this.source.slice(start, this.at);
    value.numeric = simple ? <f64>value.text.toInteger(0) : parseFloat(value.text.toString());
  }

  private digits(): i32 {
    const start = this.at;
    while (<u32>(this.source.at(this.at) - 0x30) < 10) this.at++;
    return this.at - start;
  }

  /** A string's bytes: a view on the source, or unescaped in the arena if it holds escapes. */
  private text(): Bytes {
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

  private blanks(): void {
    for (;;) {
      const byte = this.source.at(this.at);
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return;
      this.at++;
    }
  }

  private take(byte: u8): bool {
    if (this.at >= this.source.length || this.source.at(this.at) != byte) return false;
    this.at++;
    return true;
  }

  private expected(what: string): void {
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
