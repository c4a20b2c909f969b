// consumes: a peer's identity
// produces: every namespace and service account that Istio's policies find in it, one after the other
// never does: allocate while a request is decided; say which reading counts
import { ABSENT, addressOf, cut, indexOf, lengthOf, Span } from "./bytes";

const SLASH: u8 = 0x2f;
/** `ns` and `sa`, as they stand in memory. */
const NS: u16 = 0x736e;
const SA: u16 = 0x6173;

/** Returns where the text begins that follows the first segment `marker` at or behind `from`; -1 where none is. */
function behind(name: Span, marker: u16, from: i32): i32 {
  const length = lengthOf(name);
  for (let start = from; start >= 0 && start + 3 <= length; ) {
    const at = addressOf(name) + start;
    if (load<u16>(at) == marker && load<u8>(at, 2) == SLASH) return start + 3;
    const slash = indexOf(name, SLASH, start);
    start = slash < 0 ? -1 : slash + 1;
  }
  return -1;
}

/** What stands between a segment `ns` and any later slash: Istio looks for `/ns/<namespace>/` in an identity. */
// @ts-ignore: decorator
@final
export class NamespaceReadings {
  /** The one that `next` came to, and where it ends. */
  reading: Span = ABSENT;
  end: i32 = 0;
  private name: Span = ABSENT;
  private start: i32 = -1;

  begin(name: Span): void {
    this.name = name;
    this.startAt(behind(name, NS, 0));
  }

  next(): bool {
    while (this.start >= 0) {
      this.end = indexOf(this.name, SLASH, this.end + 1);
      if (this.end >= 0) {
        this.reading = cut(this.name, this.start, this.end);
        return true;
      }
      this.startAt(behind(this.name, NS, this.start));
    }
    return false;
  }

  private startAt(start: i32): void {
    this.start = start;
    this.end = start - 1;
  }
}

/** The same with what follows a later segment `sa`, up to a slash or the end. */
// @ts-ignore: decorator
@final
export class AccountReadings {
  /** The ones that `next` came to. */
  account: Span = ABSENT;
  readonly namespaces: NamespaceReadings = new NamespaceReadings();
  private name: Span = ABSENT;
  private start: i32 = -1;
  private end: i32 = 0;

  begin(name: Span): void {
    this.name = name;
    this.namespaces.begin(name);
    this.start = -1;
  }

  next(): bool {
    while (true) {
      while (this.start >= 0) {
        if (this.end < lengthOf(this.name)) {
          const slash = indexOf(this.name, SLASH, this.end + 1);
          this.end = slash < 0 ? lengthOf(this.name) : slash;
          this.account = cut(this.name, this.start, this.end);
          return true;
        }
        this.startAt(behind(this.name, SA, this.start));
      }
      if (!this.namespaces.next()) return false;
      this.startAt(behind(this.name, SA, this.namespaces.end + 1));
    }
  }

  private startAt(start: i32): void {
    this.start = start;
    this.end = start - 1;
  }
}
