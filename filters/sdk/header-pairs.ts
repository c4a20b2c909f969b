import { allocate } from "./abi/arena";
import { Bytes } from "./bytes";

// What proxy_get_header_map_pairs returns, walked in place:
//
//   u32 count │ u32 name length, u32 value length │ … │ name NUL value NUL │ name NUL value NUL │ …
//   base      base + 4                              base + 4 + 8 * count

const NOTHING: usize = memory.data(8, 8);

/** Header pairs as the host returned them; valid until the callback ends. */
// @ts-ignore: decorator
@unmanaged
@final
export class HeaderPairs {
  /** How many pairs there are; a header with two values counts twice. */
  count: u32;

  /** No pairs. */
  static none(): HeaderPairs {
    return changetype<HeaderPairs>(NOTHING);
  }

  /** The pairs serialized in `length` bytes at `base`; empty if they do not fit there. */
  static over(base: usize, length: u32): HeaderPairs {
    if (length < 4) return HeaderPairs.none();
    const pairs = changetype<HeaderPairs>(base);
    return <u64>length < 4 + <u64>pairs.count * 10 ? HeaderPairs.none() : pairs;
  }

  /** A cursor before the first pair: `const it = pairs.begin(); while (it.next()) …`. */
  begin(): HeaderCursor {
    const cursor = changetype<HeaderCursor>(allocate(offsetof<HeaderCursor>()));
    const base = changetype<usize>(this);
    cursor.sizes = base + 4 - 8;
    cursor.namePtr = base + 4 + ((<usize>this.count) << 3) - 2;
    cursor.left = this.count;
    cursor.nameLength = 0;
    cursor.valueLength = 0;
    return cursor;
  }

  /** The first value of `name`, null if absent. */
  first(name: Bytes): Bytes | null {
    const cursor = this.begin();
    return cursor.nextNamed(name) ? cursor.value : null;
  }

  /** How many values `name` has. */
  countOf(name: Bytes): i32 {
    const cursor = this.begin();
    let n = 0;
    while (cursor.nextNamed(name)) n++;
    return n;
  }

  /** All values of `name` joined with "," as Envoy joins them; the value itself if there is one, null if absent. */
  joined(name: Bytes): Bytes | null {
    const cursor = this.begin();
    if (!cursor.nextNamed(name)) return null;
    const only = cursor.value;
    let size = cursor.valueLength;
    if (!cursor.nextNamed(name)) return only;
    do size += cursor.valueLength + 1;
    while (cursor.nextNamed(name));
    const joined = allocate(size);
    let at = joined;
    const again = this.begin();
    while (again.nextNamed(name)) {
      if (at != joined) store<u8>(at++, 0x2c);
      memory.copy(at, again.valuePtr, again.valueLength);
      at += again.valueLength;
    }
    return Bytes.view(joined, <i32>(at - joined));
  }
}

/** A place among header pairs. `name` and `value` belong to the pair last reached by `next` or `nextNamed`. */
// @ts-ignore: decorator
@unmanaged
@final
export class HeaderCursor {
  sizes: usize;
  namePtr: usize;
  nameLength: u32;
  valueLength: u32;
  left: u32;

  /** Moves to the next pair; false behind the last. */
  // @ts-ignore: decorator
  @inline
  next(): bool {
    if (this.left == 0) return false;
    this.left--;
    this.namePtr += this.nameLength + this.valueLength + 2;
    const sizes = this.sizes + 8;
    this.sizes = sizes;
    this.nameLength = load<u32>(sizes);
    this.valueLength = load<u32>(sizes, 4);
    return true;
  }

  /** Moves to the next pair called `name`; false if there is none. */
  nextNamed(name: Bytes): bool {
    const length = <u32>name.length;
    const ptr = name.ptr;
    if (length == 0) return false;
    // The last byte tells most names of one length apart ("x-user", "x-role") without a call.
    const last = load<u8>(ptr + length - 1);
    let left = this.left,
      sizes = this.sizes,
      at = this.namePtr,
      nameLength = this.nameLength,
      valueLength = this.valueLength;
    while (left > 0) {
      left--;
      at += nameLength + valueLength + 2;
      sizes += 8;
      nameLength = load<u32>(sizes);
      valueLength = load<u32>(sizes, 4);
      if (nameLength != length || load<u8>(at + length - 1) != last || memory.compare(at, ptr, length) != 0) continue;
      this.moveTo(at, sizes, nameLength, valueLength, left);
      return true;
    }
    this.moveTo(at, sizes, nameLength, valueLength, 0);
    return false;
  }

  // @ts-ignore: decorator
  @inline
  private moveTo(namePtr: usize, sizes: usize, nameLength: u32, valueLength: u32, left: u32): void {
    this.namePtr = namePtr;
    this.sizes = sizes;
    this.nameLength = nameLength;
    this.valueLength = valueLength;
    this.left = left;
  }

  /** Whether the pair is called `name`. */
  // @ts-ignore: decorator
  @inline
  nameIs(name: Bytes): bool {
    return this.nameLength == <u32>name.length && memory.compare(this.namePtr, name.ptr, name.length) == 0;
  }

  /** Address of the value's first byte. */
  // @ts-ignore: decorator
  @inline
  get valuePtr(): usize {
    return this.namePtr + this.nameLength + 1;
  }

  /** The name reached, in small letters; a view that lives until the callback ends. */
  get name(): Bytes {
    return Bytes.view(this.namePtr, this.nameLength);
  }

  /** The value reached; a view that lives until the callback ends. */
  get value(): Bytes {
    return Bytes.view(this.valuePtr, this.valueLength);
  }
}
