/** A set of instruction numbers: insertion, membership and clearing in constant time, without initialised memory. */
export class SparseSet {
  size: i32 = 0;
  dense: StaticArray<i32> = new StaticArray<i32>(0);
  private sparse: StaticArray<i32> = new StaticArray<i32>(0);

  /** Makes room for members below `capacity`. Configuration time only. */
  reserve(capacity: i32): void {
    if (this.dense.length >= capacity) return;
    this.dense = new StaticArray<i32>(capacity);
    this.sparse = new StaticArray<i32>(capacity);
    this.size = 0;
  }

  /** Adds a member; returns false when it was there. */
  add(member: i32): bool {
    const at = unchecked(this.sparse[member]);
    if (u32(at) < u32(this.size) && unchecked(this.dense[at]) == member) return false;
    unchecked((this.sparse[member] = this.size));
    unchecked((this.dense[this.size] = member));
    this.size++;
    return true;
  }

  /** Takes over the other set's members; the other is whatever this one was. */
  takeFrom(other: SparseSet): void {
    const dense = this.dense;
    const sparse = this.sparse;
    const size = this.size;
    this.dense = other.dense;
    this.sparse = other.sparse;
    this.size = other.size;
    other.dense = dense;
    other.sparse = sparse;
    other.size = size;
  }
}
