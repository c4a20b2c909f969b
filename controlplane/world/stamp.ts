// What tells one state from another at a glance: a number for each thing that it is made of.

/** The numbers of a state's parts, each at its own place: equal exactly where the parts are the same. */
export class Stamp {
  /** The last comparison: nearly all answers were last right for the state before. */
  private before: Stamp | undefined;
  private differing = 0;

  constructor(readonly numbers: readonly number[]) {}

  /** Returns the places at which this stamp is another than the one before, as bits. */
  differencesFrom(before: Stamp): number {
    if (this.before === before) return this.differing;
    let bits = 0;
    for (let place = 0; place < this.numbers.length; place++)
      if (before.numbers[place] !== this.numbers[place]) bits |= bitOf(place);
    [this.before, this.differing] = [before, bits];
    return bits;
  }
}

/** More places than bits share them: then a change of one is taken for a change of both, and the trace decides. */
export function bitOf(place: number): number {
  return 1 << (place & 31);
}

const numbers = new WeakMap<object, number>();
let last = 0;

/** Returns the object's number, which no other object has or had. */
export function numberOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) numbers.set(object, (number = ++last));
  return number;
}
