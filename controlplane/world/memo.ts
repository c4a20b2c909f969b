// Answers kept for as long as the object they were made from. Answers that are made from a World are kept by derive.ts.
import { inSlice } from "../model/time-slice.ts";

/** Returns `compute` with its answers kept per `owner` and key; answers go when their owner does. */
export function memoByOwner<O extends object, A extends readonly unknown[], R>(
  keyOf: (...args: A) => string,
  compute: (owner: O, ...args: A) => R,
): (owner: O, ...args: A) => R {
  const answers = new WeakMap<O, Map<string, R>>();
  return (owner, ...args) => {
    let ofOwner = answers.get(owner);
    if (ofOwner === undefined) answers.set(owner, (ofOwner = new Map()));
    const key = keyOf(...args);
    if (!ofOwner.has(key))
      ofOwner.set(
        key,
        inSlice(() => compute(owner, ...args)),
      );
    return ofOwner.get(key) as R;
  };
}

/** Returns `compute` with its answer kept per object. */
export function memoByObject<O extends object, R>(compute: (object: O) => R): (object: O) => R {
  const answers = new WeakMap<O, { readonly answer: R }>();
  return (object) => {
    let kept = answers.get(object);
    if (kept === undefined) answers.set(object, (kept = { answer: inSlice(() => compute(object)) }));
    return kept.answer;
  };
}

/** Returns labels as text that is equal exactly when they are. */
export const labelsKey = memoByObject((labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
);
