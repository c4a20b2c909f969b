// consumes: an authority, a header's lines
// produces: every way in which an application may read them, one after the other
// never does: allocate while a request is decided; say which reading counts
import { AuthorizationRequest } from "./authorization-request";
import { ABSENT, cut, indexOf, lengthOf, Span, trim } from "./bytes";
import { beforePort, hostOf, withoutUser } from "./request-text";
import { SpanList } from "./span-list";

const COMMA: u8 = 0x2c;

/** The elements of a comma-separated value, without blanks around them. */
// @ts-ignore: decorator
@final
class Elements {
  element: Span = ABSENT;
  private value: Span = ABSENT;
  private at: i32 = 0;

  begin(value: Span): void {
    this.value = value;
    this.at = 0;
  }

  next(): bool {
    const length = lengthOf(this.value);
    if (this.value == ABSENT || this.at > length) return false;
    const comma = indexOf(this.value, COMMA, this.at);
    const end = comma < 0 ? length : comma;
    this.element = trim(cut(this.value, this.at, end));
    this.at = end + 1;
    return true;
  }
}

/** What an application may take for the host: the authority, and of each host in it what stands before the port. */
// @ts-ignore: decorator
@final
export class HostReadings {
  /** The one that `next` came to. */
  reading: Span = ABSENT;
  private readonly hosts: Elements = new Elements();
  private isFirst: bool = false;
  /** Its other reading is still to come. */
  private host: Span = ABSENT;

  begin(authority: Span): void {
    this.reading = authority;
    this.hosts.begin(authority);
    this.isFirst = true;
    this.host = ABSENT;
  }

  next(): bool {
    if (this.isFirst) {
      this.isFirst = false;
      return this.reading != ABSENT;
    }
    if (this.host != ABSENT) {
      this.reading = beforePort(this.host);
      this.host = ABSENT;
      return true;
    }
    if (!this.hosts.next()) return false;
    this.host = withoutUser(this.hosts.element);
    this.reading = hostOf(this.host);
    return true;
  }
}

/**
 * What an application may take for a header's value: all lines joined, each line (also of a header whose name is
 * alike),
 * each element of a line.
 */
// @ts-ignore: decorator
@final
export class HeaderReadings {
  /** The one that `next` came to. */
  reading: Span = ABSENT;
  private readonly lines: SpanList = new SpanList();
  private readonly elements: Elements = new Elements();
  private line: i32 = 0;
  private joined: Span = ABSENT;

  begin(request: AuthorizationRequest, name: Span): void {
    this.lines.count = 0;
    request.headerValues(name, this.lines);
    this.line = 0;
    this.joined = this.lines.count > 1 ? request.joinedHeader(name) : ABSENT;
    request.alikeHeaderValues(name, this.lines);
    this.elements.begin(ABSENT);
  }

  next(): bool {
    if (this.joined != ABSENT) {
      this.reading = this.joined;
      this.joined = ABSENT;
      return true;
    }
    if (this.elements.next()) {
      this.reading = this.elements.element;
      return true;
    }
    if (this.line == this.lines.count) return false;
    const line = this.lines.at(this.line++);
    this.reading = line;
    // Where the line is its only element it is not read twice.
    this.elements.begin(indexOf(line, COMMA, 0) < 0 && trim(line) == line ? ABSENT : line);
    return true;
  }
}
