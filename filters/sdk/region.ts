import { Bytes } from "./bytes";

/**
 * Memory that lives as long as its owner (a root context's configuration, a compiled rule set) and is freed at once.
 * Blocks are linked through their first word. Under `--runtime stub` freeing gives nothing back.
 */
export class Region {
  private newest: usize = 0;
  private top: usize = 0;
  private limit: usize = 0;

  /** Returns `size` bytes, 8-byte aligned, not zeroed, valid until `free()`. */
  allocate(size: usize): usize {
    const wanted = (size + 7) & ~7;
    if (this.top + wanted > this.limit) this.grow(wanted);
    const at = this.top;
    this.top = at + wanted;
    return at;
  }

  private grow(size: usize): void {
    const capacity = max<usize>(1024, size + 8);
    const block = heap.alloc(capacity);
    store<usize>(block, this.newest);
    this.newest = block;
    this.top = block + 8;
    this.limit = block + capacity;
  }

  /** Returns a copy of `bytes` that stays valid until `free()`. */
  keep(bytes: Bytes): Bytes {
    const length = bytes.length;
    const at = this.allocate(8 + length);
    memory.copy(at + 8, bytes.ptr, length);
    return Bytes.place(at, at + 8, length);
  }

  /** Returns `text` in UTF-8, valid until `free()`. */
  keepString(text: string): Bytes {
    const length = String.UTF8.byteLength(text);
    const at = this.allocate(8 + length);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at + 8);
    return Bytes.place(at, at + 8, length);
  }

  /** Gives all memory back; what was kept here must not be used any more. */
  free(): void {
    let block = this.newest;
    while (block != 0) {
      const next = load<usize>(block);
      heap.free(block);
      block = next;
    }
    this.newest = 0;
    this.top = 0;
    this.limit = 0;
  }
}
