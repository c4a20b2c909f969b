// consumes: a syntax tree
// produces: the instructions of a nondeterministic automaton (Thompson's construction), bounded in size
// never does: keep priorities or captures: only whether the whole text matches is asked
import { Node, NodeKind } from "./node";

/** The most instructions a program may have: time per byte of input is at most proportional to it. */
export const MAX_PROGRAM = 4096;

/** What an instruction does. */
export enum Op {
  /** Takes one byte of class `x`, goes on at `y`. */
  Class,
  /** Goes on at `x` and at `y`. */
  Split,
  /** Goes on at `y` if assertion `x` holds here. */
  Assert,
  Jump,
  Match,
}

/** Instructions under construction. */
export class Assembler {
  ops: i32[] = [];
  x: i32[] = [];
  y: i32[] = [];
  /** Per class: where its pairs start in `ranges`; one more entry marks the end. */
  classStarts: i32[] = [0];
  ranges: i32[] = [];
  overflow: bool = false;

  /** Appends an instruction and returns its number; after the limit it only notes the overflow. */
  emit(op: Op, x: i32, y: i32): i32 {
    if (this.ops.length >= MAX_PROGRAM) {
      this.overflow = true;
      return 0;
    }
    this.ops.push(op);
    this.x.push(x);
    this.y.push(y);
    return this.ops.length - 1;
  }

  /** Returns four words for each class: which of the 256 bytes belong to it. */
  classBits(): StaticArray<u64> {
    const count = this.classStarts.length - 1;
    const bits = new StaticArray<u64>(count * 4);
    for (let i = 0; i < count; i++) {
      for (let at = this.classStarts[i]; at < this.classStarts[i + 1]; at += 2) {
        for (let byte = this.ranges[at]; byte <= this.ranges[at + 1]; byte++)
          bits[i * 4 + (byte >> 6)] |= u64(1) << (byte & 63);
      }
    }
    return bits;
  }

  /** Appends the instructions of a tree; they end by running into the next instruction. */
  assemble(node: Node): void {
    if (this.overflow) return;
    if (node.kind == NodeKind.Class) this.emit(Op.Class, this.internClass(node.ranges), this.ops.length + 1);
    else if (node.kind == NodeKind.Assert) this.emit(Op.Assert, node.min, this.ops.length + 1);
    else if (node.kind == NodeKind.Concat) {
      for (let i = 0; i < node.children.length; i++) this.assemble(node.children[i]);
    } else if (node.kind == NodeKind.Alternate) this.alternate(node.children);
    else if (node.kind == NodeKind.Repeat) this.repeat(node.children[0], node.min, node.max);
  }

  private alternate(choices: Node[]): void {
    const jumps: i32[] = [];
    for (let i = 0; i < choices.length && !this.overflow; i++) {
      const last = i == choices.length - 1;
      const split = last ? -1 : this.emit(Op.Split, this.ops.length + 1, 0);
      this.assemble(choices[i]);
      if (last) break;
      jumps.push(this.emit(Op.Jump, 0, 0));
      this.patch(split);
    }
    for (let i = 0; i < jumps.length; i++) this.patch(jumps[i]);
  }

  private repeat(child: Node, low: i32, high: i32): void {
    for (let i = 0; i < low && !this.overflow; i++) this.assemble(child);
    if (high < 0) {
      const split = this.emit(Op.Split, this.ops.length + 1, 0);
      this.assemble(child);
      this.emit(Op.Jump, 0, split);
      this.patch(split);
      return;
    }
    const splits: i32[] = [];
    for (let i = low; i < high && !this.overflow; i++) {
      splits.push(this.emit(Op.Split, this.ops.length + 1, 0));
      this.assemble(child);
    }
    for (let i = 0; i < splits.length; i++) this.patch(splits[i]);
  }

  /** Makes the open end of an instruction lead to the next one. */
  private patch(at: i32): void {
    if (!this.overflow) this.y[at] = this.ops.length;
  }

  private internClass(ranges: i32[]): i32 {
    const count = this.classStarts.length - 1;
    for (let i = 0; i < count; i++) {
      if (this.sameClass(i, ranges)) return i;
    }
    for (let i = 0; i < ranges.length; i++) this.ranges.push(ranges[i]);
    this.classStarts.push(this.ranges.length);
    return count;
  }

  private sameClass(index: i32, ranges: i32[]): bool {
    const start = this.classStarts[index];
    if (this.classStarts[index + 1] - start != ranges.length) return false;
    for (let i = 0; i < ranges.length; i++) {
      if (this.ranges[start + i] != ranges[i]) return false;
    }
    return true;
  }
}
