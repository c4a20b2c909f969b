import { Bytes, EMPTY } from "./bytes";
import { collectLater } from "./callbacks";
import { millisecondsOf } from "./duration";
import { JsonKind, JsonScanner } from "./json-scanner";
import { Region } from "./region";

/** Deeper values are refused. */
const DEEPEST = 64;

/**
 * A JSON document being read. Reading never traps: whatever is wrong, the accessors return a default and the first
 * error is kept, so that a configuration is read straight through and `error` is looked at once, at the end. Use it
 * within the callback that got the bytes.
 */
// @ts-ignore: decorator
@final
export class JsonDocument {
  /** Empty, or what is wrong first: `limits[3].per: expected a duration such as 60s`. */
  error: string = "";
  /** The top value; `Missing` if the text is not JSON. */
  root: Json;

  /** @param keepIn where `bytes()` keeps the strings it returns, usually the root context's `region` */
  constructor(
    source: Bytes,
    readonly keepIn: Region,
  ) {
    this.root = new Json();
    collectLater();
    const scanner = new JsonScanner(source);
    const root = this.valueFrom(scanner, null, 0);
    scanner.end();
    if (scanner.problem.length > 0) this.fail(scanner.problem);
    else this.root = root;
    this.root.document = this;
  }

  /** Whether nothing was wrong so far. */
  get ok(): bool {
    return this.error.length == 0;
  }

  /** Keeps `message` if it is the first error. */
  fail(message: string): void {
    if (this.error.length == 0) this.error = message;
  }

  private valueFrom(scanner: JsonScanner, parent: Json | null, depth: i32): Json {
    const value = new Json();
    value.document = this;
    value.parent = parent;
    if (depth > DEEPEST) {
      scanner.blanks();
      scanner.expected("at most 64 levels");
      return value;
    }
    value.kind = scanner.value();
    value.text = scanner.text;
    value.numeric = scanner.numeric;
    if (value.kind == JsonKind.Object) this.fieldsFrom(scanner, value, depth);
    else if (value.kind == JsonKind.Array) this.elementsFrom(scanner, value, depth);
    return value;
  }

  private fieldsFrom(scanner: JsonScanner, value: Json, depth: i32): void {
    if (scanner.take(0x7d)) return;
    value.children = [];
    while (scanner.problem.length == 0) {
      const name = scanner.fieldName();
      if (name == null) return;
      for (let i = 0; i < value.children.length; i++)
        if (value.children[i].name == name) return scanner.expected('field "' + name + '" only once');
      if (!scanner.take(0x3a)) return scanner.expected('":"');
      const child = this.valueFrom(scanner, value, depth + 1);
      child.name = name;
      value.children.push(child);
      if (scanner.take(0x7d)) return;
      if (!scanner.take(0x2c)) return scanner.expected('"," or "}"');
    }
  }

  private elementsFrom(scanner: JsonScanner, value: Json, depth: i32): void {
    if (scanner.take(0x5d)) return;
    value.children = [];
    while (scanner.problem.length == 0) {
      const child = this.valueFrom(scanner, value, depth + 1);
      child.index = value.children.length;
      value.children.push(child);
      if (scanner.take(0x5d)) return;
      if (!scanner.take(0x2c)) return scanner.expected('"," or "]"');
    }
  }
}

/** Shared by all values without any: most have none, and nothing is collected while a configuration is read. */
const NO_CHILDREN: Array<Json> = [];

/**
 * A value in a document. Accessors that say "expected" record an error with this value's path when it is something
 * else.
 */
// @ts-ignore: decorator
@final
export class Json {
  kind: i32 = JsonKind.Missing;
  document: JsonDocument | null = null;
  parent: Json | null = null;
  /** Name within an object, or empty. */
  name: string = "";
  /** Index within an array, or -1. */
  index: i32 = -1;
  /** Elements of an array, values of an object. */
  children: Array<Json> = NO_CHILDREN;
  /** A string's bytes without escapes, as a view that ends with the callback; a number's text. */
  text: Bytes = EMPTY;
  numeric: f64 = 0;

  /** Whether reading found nothing there. */
  get isMissing(): bool {
    return this.kind == JsonKind.Missing;
  }
  /** Whether it is `null`. */
  get isNull(): bool {
    return this.kind == JsonKind.Null;
  }
  /** Whether it is a string. */
  get isString(): bool {
    return this.kind == JsonKind.String;
  }
  /** Whether it is a number. */
  get isNumber(): bool {
    return this.kind == JsonKind.Number;
  }
  /** Whether it is `true` or `false`. */
  get isBoolean(): bool {
    return this.kind == JsonKind.Boolean;
  }
  /** Whether it is a list. */
  get isArray(): bool {
    return this.kind == JsonKind.Array;
  }
  /** Whether it is an object. */
  get isObject(): bool {
    return this.kind == JsonKind.Object;
  }

  /** Whether the field or element is there and not null. */
  get isPresent(): bool {
    return this.kind > JsonKind.Null;
  }

  /** The field `name` (Missing if absent). Expects an object, unless this is itself missing. */
  get(name: string): Json {
    if (this.kind == JsonKind.Object) {
      for (let i = 0; i < this.children.length; i++) if (this.children[i].name == name) return this.children[i];
    } else if (this.kind != JsonKind.Missing) {
      this.fail("an object");
    }
    return this.absent(name, -1);
  }

  /** Number of elements or fields. Expects an array or object; 0 and no error if missing. */
  get length(): i32 {
    if (this.kind == JsonKind.Array || this.kind == JsonKind.Object) return this.children.length;
    if (this.kind != JsonKind.Missing) this.fail("a list");
    return 0;
  }

  /** The element (or field value) at `index`; Missing outside. */
  at(index: i32): Json {
    return <u32>index < <u32>this.children.length ? this.children[index] : this.absent("", index);
  }

  /** Expects an array (missing: an empty one); returns this. */
  list(): Json {
    if (this.kind != JsonKind.Array && this.kind != JsonKind.Missing) this.fail("a list");
    return this;
  }

  /** Expects an object, which must be there; returns this. */
  object(): Json {
    if (this.kind != JsonKind.Object) this.fail("an object");
    return this;
  }

  /** Expects every field of this object to be one of `names`; any other is an error that names it. */
  only(names: Array<string>): Json {
    if (this.kind != JsonKind.Object) return this;
    for (let i = 0; i < this.children.length; i++) {
      const child = this.children[i];
      if (!names.includes(child.name)) child.failWith("unknown field (known: " + names.join(", ") + ")");
    }
    return this;
  }

  /** Expects a string; "" otherwise. */
  string(): string {
    return this.expectString() ? this.text.toString() : "";
  }

  /** Expects a string and returns its UTF-8 bytes, kept in the document's region; empty otherwise. */
  bytes(): Bytes {
    return this.expectString() ? this.document!.keepIn.keep(this.text) : EMPTY;
  }

  /** As `bytes`, but `otherwise` if missing. */
  bytesOr(otherwise: Bytes): Bytes {
    return this.kind == JsonKind.Missing ? otherwise : this.bytes();
  }

  /** Expects a list of strings (missing: empty) and returns their bytes, kept in the document's region. */
  bytesList(): Array<Bytes> {
    const list = new Array<Bytes>();
    this.list();
    if (this.kind == JsonKind.Array) for (let i = 0; i < this.children.length; i++) list.push(this.children[i].bytes());
    return list;
  }

  /** Expects true or false; false otherwise. */
  boolean(): bool {
    if (this.kind != JsonKind.Boolean) this.fail("true or false");
    return this.kind == JsonKind.Boolean && this.numeric != 0;
  }

  /** As `boolean`, but `otherwise` if missing. */
  booleanOr(otherwise: bool): bool {
    return this.kind == JsonKind.Missing ? otherwise : this.boolean();
  }

  /** Expects a whole number from `least` to `most` (both within ±2⁵³); `least` otherwise. */
  integer(least: i64, most: i64): i64 {
    const value = this.numeric;
    if (this.kind == JsonKind.Number && value == Math.floor(value) && value >= <f64>least && value <= <f64>most)
      return <i64>value;
    this.fail("a whole number from " + least.toString() + " to " + most.toString());
    return least;
  }

  /** As `integer`, but `otherwise` if missing. */
  integerOr(otherwise: i64, least: i64, most: i64): i64 {
    return this.kind == JsonKind.Missing ? otherwise : this.integer(least, most);
  }

  /**
   * Expects a duration such as "60s", "250ms" or "1h30m", from `least` to `most` milliseconds; returns its
   * milliseconds, `least` otherwise.
   */
  duration(least: i64, most: i64): i64 {
    const value = this.kind == JsonKind.String ? millisecondsOf(this.text.toString()) : -1;
    if (value < 0) this.fail("a duration such as 60s");
    else if (value >= least && value <= most) return value;
    else this.fail("a duration from " + least.toString() + "ms to " + most.toString() + "ms");
    return least;
  }

  /** As `duration`, but `otherwise` if missing. */
  durationOr(otherwise: i64, least: i64, most: i64): i64 {
    return this.kind == JsonKind.Missing ? otherwise : this.duration(least, most);
  }

  /** Expects a number; 0 otherwise. */
  number(): f64 {
    if (this.kind != JsonKind.Number) this.fail("a number");
    return this.kind == JsonKind.Number ? this.numeric : 0;
  }

  /** Records `expected …` for this value. */
  fail(expected: string): void {
    this.failWith("expected " + expected + (this.kind == JsonKind.Missing ? ", but it is missing" : ""));
  }

  /** Records `<path>: <message>`. */
  failWith(message: string): void {
    const document = this.document;
    if (document === null || !document.ok) return;
    const path = this.path();
    document.fail((path.length > 0 ? path : "configuration") + ": " + message);
  }

  /** Where this value is: `limits[3].per`; empty for the top. */
  path(): string {
    const parent = this.parent;
    if (parent === null) return "";
    const before = parent.path();
    if (this.index >= 0) return before + "[" + this.index.toString() + "]";
    return before.length > 0 ? before + "." + this.name : this.name;
  }

  private expectString(): bool {
    if (this.kind == JsonKind.String) return true;
    this.fail("a string");
    return false;
  }

  private absent(name: string, index: i32): Json {
    const value = new Json();
    value.document = this.document;
    value.parent = this;
    value.name = name;
    value.index = index;
    return value;
  }
}
