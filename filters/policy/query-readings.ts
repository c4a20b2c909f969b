// consumes: a query, a parameter's name
// produces: each value that the query gives it, as it travels and as an application decodes it
// never does: allocate while a request is decided, but for the longest query so far; say which value counts
import { ABSENT, addressOf, cut, emptySpan, equals, indexOf, lengthOf, Span, spanOf } from "./bytes";
import { escapeAt } from "./request-text";

const AMPERSAND: u8 = 0x26;
const EQUALS: u8 = 0x3d;
const PLUS: u8 = 0x2b;
const SPACE: u8 = 0x20;

/** The values of one parameter. Names are compared decoded: `?%64ebug` is `debug` to an application. */
// @ts-ignore: decorator
@final
export class QueryReadings {
  /** The value that `next` came to, as it travels; empty for `?name` and `?name=`. */
  raw: Span = ABSENT;
  /** The same, decoded; valid until the next step. */
  decoded: Span = ABSENT;
  private query: Span = ABSENT;
  private name: Span = ABSENT;
  private at: i32 = 0;
  private names: StaticArray<u8> = new StaticArray<u8>(64);
  private values: StaticArray<u8> = new StaticArray<u8>(256);

  begin(query: Span, name: Span): void {
    this.query = query;
    this.name = name;
    this.at = 0;
  }

  next(): bool {
    const length = lengthOf(this.query);
    while (this.at < length) {
      const ampersand = indexOf(this.query, AMPERSAND, this.at);
      const end = ampersand < 0 ? length : ampersand;
      const pair = cut(this.query, this.at, end);
      this.at = end + 1;
      const sign = indexOf(pair, EQUALS, 0);
      const name = sign < 0 ? pair : cut(pair, 0, sign);
      // Decoding never makes a text longer.
      if (lengthOf(name) < lengthOf(this.name)) continue;
      if (this.names.length < lengthOf(name)) this.names = new StaticArray<u8>(lengthOf(name) * 2);
      if (!equals(decodedTo(changetype<usize>(this.names), name), this.name)) continue;
      this.raw = sign < 0 ? emptySpan() : cut(pair, sign + 1, lengthOf(pair));
      if (this.values.length < lengthOf(this.raw)) this.values = new StaticArray<u8>(lengthOf(this.raw) * 2);
      this.decoded = decodedTo(changetype<usize>(this.values), this.raw);
      return true;
    }
    return false;
  }
}

/** As forms are decoded (https://url.spec.whatwg.org/#urlencoded-parsing): `+` is a blank, `%41` a byte. */
function decodedTo(to: usize, text: Span): Span {
  const length = lengthOf(text);
  let size = 0;
  for (let i = 0; i < length; i++) {
    const escape = escapeAt(text, i);
    const byte = load<u8>(addressOf(text) + i);
    store<u8>(to + size++, escape >= 0 ? u8(escape) : byte == PLUS ? SPACE : byte);
    if (escape >= 0) i += 2;
  }
  return spanOf(to, size);
}
