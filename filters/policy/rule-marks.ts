// Which of many rules to look at, in their order.
//
//   words: one bit for each rule        0010 0000 │ 0000 0000 │ 1000 0001 │ …
//   top:   one bit for each word in use  1           0           1

/** A set of rule numbers that is emptied by taking the lowest again and again. */
export class RuleMarks {
  private readonly words: StaticArray<u64>;
  private readonly top: StaticArray<u64>;

  /** @param count numbers are below it */
  constructor(count: i32) {
    this.words = new StaticArray<u64>((count >> 6) + 1);
    this.top = new StaticArray<u64>((count >> 12) + 1);
  }

  /** Puts a number in; once more changes nothing. */
  add(number: i32): void {
    const word = number >> 6;
    unchecked((this.words[word] |= u64(1) << (number & 63)));
    unchecked((this.top[word >> 6] |= u64(1) << (word & 63)));
  }

  /** Takes the lowest number out; -1 when there is none. */
  takeLowest(): i32 {
    for (let i = 0; i < this.top.length; i++) {
      const tops = unchecked(this.top[i]);
      if (tops == 0) continue;
      const word = (i << 6) + i32(ctz(tops));
      const bits = unchecked(this.words[word]);
      const left = bits & (bits - 1);
      unchecked((this.words[word] = left));
      if (left == 0) unchecked((this.top[i] = tops & (tops - 1)));
      return (word << 6) + i32(ctz(bits));
    }
    return -1;
  }

  /** Takes everything out. */
  clear(): void {
    for (let i = 0; i < this.top.length; i++) {
      let tops = unchecked(this.top[i]);
      while (tops != 0) {
        unchecked((this.words[(i << 6) + i32(ctz(tops))] = 0));
        tops &= tops - 1;
      }
      unchecked((this.top[i] = 0));
    }
  }
}
