// Answers kept for as long as the objects that they were made from. Take it for what is made from parts that are
// themselves the same objects while nothing of them changed; it costs a look into one map for each argument.
import { inSlice } from "../model/time-slice.ts";

/** What answers are kept by: objects are told apart by reference and held weakly, the rest by value. */
type Part = object | string | number | boolean | undefined;

/**
 * Returns `compute` with its answers kept per arguments; an answer goes with the first of the objects that goes. The
 * argument of which there are fewest stands best in front: the maps for those behind it are in its own.
 */
export function memoized<A extends readonly [object, ...(readonly Part[])], R>(
  compute: (...args: A) => R,
): (...args: A) => R {
  const root = new Shelf<R>();
  return (...args) => {
    let shelf = root;
    for (const arg of args) shelf = shelf.under(arg);
    return (shelf.kept ??= { answer: inSlice(() => compute(...args)) }).answer;
  };
}

/** What is kept under some first arguments: an answer, or shelves for the argument that follows. */
class Shelf<R> {
  kept: { readonly answer: R } | undefined;
  private byObject: WeakMap<object, Shelf<R>> | undefined;
  private byValue: Map<Part, Shelf<R>> | undefined;

  under(part: Part): Shelf<R> {
    return typeof part === "object"
      ? shelfIn((this.byObject ??= new WeakMap<object, Shelf<R>>()), part)
      : shelfIn((this.byValue ??= new Map<Part, Shelf<R>>()), part);
  }
}

function shelfIn<K, R>(shelves: { get(key: K): Shelf<R> | undefined; set(key: K, shelf: Shelf<R>): unknown }, key: K) {
  let shelf = shelves.get(key);
  if (shelf === undefined) shelves.set(key, (shelf = new Shelf<R>()));
  return shelf;
}
