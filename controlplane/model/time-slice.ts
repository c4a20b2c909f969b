// Long pure work a slice at a time, so that whoever waits meanwhile is answered: the work itself knows nothing of it,
// except at its memos.

// Work whose parts are remembered can be given up at any of them and begun again from its start: what was made stays
// made, and beginning again only looks it up. So nothing has to be written as a sequence of steps; a part that is
// remembered says `inSlice(make)` where it would say `make()`.
//
//     slice 1   first, second, thi|            (over: the third is given up before it is begun)
//     slice 2   .      .       third, fourth|  (the first two are remembered)

/** How long a slice may take. */
export interface SliceBudget {
  /** Counted from the first part that was made anew: every slice gets on, however long the looking up takes. */
  readonly budgetMs: number;
  readonly nowMs: () => number;
}

export type SliceOutcome<T> = { readonly kind: "done"; readonly value: T } | { readonly kind: "over" };

/**
 * Thrown through the work when its slice is over; whoever catches what the work throws passes this on. Made once:
 * nobody looks at its stack.
 */
const OVER = new Error("a slice of time is over");

let current: { readonly budget: SliceBudget; endMs: number } | undefined;

/**
 * Does the work, or as much of it as the budget allows: then it is to be asked for again. What the work throws is
 * thrown. Not to be called within a slice.
 */
export function runSlice<T>(budget: SliceBudget, work: () => T): SliceOutcome<T> {
  if (current !== undefined) throw new RangeError("a slice cannot be cut into slices");
  current = { budget, endMs: Infinity };
  try {
    return { kind: "done", value: work() };
  } catch (error) {
    if (isSliceOver(error)) return { kind: "over" };
    throw error;
  } finally {
    current = undefined;
  }
}

/**
 * Returns what `make` returns, which the caller must remember; where the slice is over, it throws what `runSlice` waits
 * for instead.
 */
export function inSlice<T>(make: () => T): T {
  const slice = current;
  if (slice === undefined) return make();
  if (slice.budget.nowMs() > slice.endMs) throw OVER;
  const made = make();
  if (slice.endMs === Infinity) slice.endMs = slice.budget.nowMs() + slice.budget.budgetMs;
  return made;
}

/** Whether this was thrown because the slice is over, and not by a fault of the work. */
export function isSliceOver(error: unknown): boolean {
  return error === OVER;
}
