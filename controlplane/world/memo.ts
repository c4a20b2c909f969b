// Answers kept for as long as the objects that they were made from. Take it for what is made from parts that are
// themselves the same objects while nothing of them changed; it costs a look into one map for each argument.
import { inSlice } from "../model/time-slice.ts";

/** What answers are kept by: objects are told apart by reference and held weakly, the rest by value. */
type Part = object | string | number | boolean | undefined;

/**
 * Returns `compute`, whose parameters have no defaults, with its answers kept per arguments; an answer goes with the
 * first of the objects that goes. The argument of which there are fewest stands best in front: the maps for those
 * behind it are in its own.
 */
export function memoized<A extends readonly [object, ...(readonly Part[])], R>(
  compute: (...args: A) => R,
): (...args: A) => R {
  const last = compute.length - 1;
  if (last === 0) return memoizedByOne(compute);
  const root = new Shelf<R>();
  return (...args) => {
    let shelf = root;
    for (let at = 0; at < last; at++) shelf = shelf.under(args[at]);
    let kept = shelf.get(args[last]);
    if (!(kept instanceof Kept)) shelf.set(args[last], (kept = new Kept(inSlice(() => compute(...args)))));
    return kept.answer;
  };
}

/** One argument is the usual case, and asked for most often: it has a shorter way. */
function memoizedByOne<A extends readonly [object, ...(readonly Part[])], R>(
  compute: (...args: A) => R,
): (...args: A) => R {
  const answers = new WeakMap<object, Kept<R>>();
  return (...args) => {
    let kept = answers.get(args[0]);
    if (kept === undefined) answers.set(args[0], (kept = new Kept(inSlice(() => compute(...args)))));
    return kept.answer;
  };
}

class Kept<R> {
  constructor(readonly answer: R) {}
}

/** What is kept under some first arguments: answers by the last one, or shelves by the one that follows. */
class Shelf<R> {
  private byObject: WeakMap<object, Kept<R> | Shelf<R>> | undefined;
  private byValue: Map<Part, Kept<R> | Shelf<R>> | undefined;

  get(part: Part): Kept<R> | Shelf<R> | undefined {
    return typeof part === "object" ? this.byObject?.get(part) : this.byValue?.get(part);
  }
  set(part: Part, kept: Kept<R> | Shelf<R>): void {
    if (typeof part === "object") (this.byObject ??= new WeakMap<object, Kept<R> | Shelf<R>>()).set(part, kept);
    else (this.byValue ??= new Map<Part, Kept<R> | Shelf<R>>()).set(part, kept);
  }
  under(part: Part): Shelf<R> {
    const known = this.get(part);
    if (known instanceof Shelf) return known;
    const shelf = new Shelf<R>();
    this.set(part, shelf);
    return shelf;
  }
}
