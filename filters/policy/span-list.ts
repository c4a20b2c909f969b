// A list of views that is kept between requests.
import { equals, Span } from "./bytes";

/** A growing list of views that is reused between requests. */
export class SpanList {
  count: i32 = 0;
  private items: StaticArray<Span> = new StaticArray<Span>(8);

  /** Appends a view. Grows (once per high-water mark) when the list is full. */
  push(value: Span): void {
    if (this.count == this.items.length) {
      const larger = new StaticArray<Span>(this.count * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.items), this.count * sizeof<Span>());
      this.items = larger;
    }
    unchecked((this.items[this.count++] = value));
  }

  /** Returns whether all views hold the same bytes. */
  areEqual(): bool {
    for (let i = 1; i < this.count; i++) if (!equals(this.at(i), this.at(0))) return false;
    return true;
  }

  /** Returns the view at `index`, which must be below `count`. */
  at(index: i32): Span {
    return unchecked(this.items[index]);
  }
}
