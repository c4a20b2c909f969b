import { Bytes, EMPTY } from "./bytes";

/**
 * A reusable buffer to put bytes together in (a stat name, a bucket's key, a header value): make one per root or
 * module, `clear()` it, write. Its memory grows to the largest content and stays: no garbage per request.
 */
// @ts-ignore: decorator
@final
export class BytesWriter {
  private memory: StaticArray<u8>;
  private used: i32 = 0;
  private view: StaticArray<usize> = new StaticArray<usize>(2);

  constructor(capacity: i32 = 256) {
    this.memory = new StaticArray<u8>(max(capacity, 16));
  }

  /** Number of bytes written since `clear()`. */
  get length(): i32 {
    return this.used;
  }

  /** Forgets what was written. */
  clear(): BytesWriter {
    this.used = 0;
    return this;
  }

  /** Forgets what was written behind the first `length` bytes. */
  truncate(length: i32): BytesWriter {
    this.used = min(max(length, 0), this.used);
    return this;
  }

  /** Appends bytes. */
  bytes(value: Bytes): BytesWriter {
    const length = value.length;
    const at = this.reserve(length);
    memory.copy(at, value.ptr, length);
    return this;
  }

  /** Appends one byte. */
  byte(value: u8): BytesWriter {
    store<u8>(this.reserve(1), value);
    return this;
  }

  /** Four bytes, little endian. */
  u32(value: u32): BytesWriter {
    store<u32>(this.reserve(4), value);
    return this;
  }

  /** Eight bytes, little endian. */
  u64(value: u64): BytesWriter {
    store<u64>(this.reserve(8), value);
    return this;
  }

  /** A decimal number. */
  integer(value: i64): BytesWriter {
    return this.bytes(Bytes.ofInteger(value));
  }

  /** Text in UTF-8. */
  text(value: string): BytesWriter {
    const at = this.reserve(String.UTF8.byteLength(value));
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, at);
    return this;
  }

  /** Changes the byte at `index`, if it is there. */
  set(index: i32, value: u8): void {
    if (<u32>index < <u32>this.used) store<u8>(changetype<usize>(this.memory) + index, value);
  }

  /** A view on what was written, valid until the next write or `clear()`. */
  get result(): Bytes {
    return this.used == 0
      ? EMPTY
      : Bytes.place(changetype<usize>(this.view), changetype<usize>(this.memory), this.used);
  }

  private reserve(size: i32): usize {
    const needed = this.used + size;
    if (needed > this.memory.length) this.growTo(needed);
    const at = changetype<usize>(this.memory) + this.used;
    this.used = needed;
    return at;
  }

  private growTo(needed: i32): void {
    let capacity = this.memory.length;
    while (capacity < needed) capacity *= 2;
    const larger = new StaticArray<u8>(capacity);
    memory.copy(changetype<usize>(larger), changetype<usize>(this.memory), this.used);
    this.memory = larger;
  }
}
