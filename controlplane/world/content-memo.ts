// Messages kept by what they are made of: equal content gives the same object, from one state of the mesh to the next
// and from one class of proxies to another, so that nothing is encoded twice.
import { inSlice } from "../model/time-slice.ts";

/**
 * Returns `make` with its results shared. `contentOf` gives all of an input that the result depends on, as plain data;
 * `context` is the rest. Results that nobody holds any more are forgotten.
 */
export function memoByContent<I extends object, R extends object>(
  contentOf: (input: I) => unknown,
  make: (input: I, context: string) => R,
): (input: I, context: string) => R {
  const byContent = new Map<string, WeakRef<R>>();
  const byInput = new WeakMap<I, Map<string, R>>();
  const forgotten = new FinalizationRegistry<string>((key) => {
    if (byContent.get(key)?.deref() === undefined) byContent.delete(key);
  });
  const find = (input: I, context: string): R => {
    const key = `${context} ${JSON.stringify(contentOf(input))}`;
    const known = byContent.get(key)?.deref();
    if (known !== undefined) return known;
    const made = make(input, context);
    byContent.set(key, new WeakRef(made));
    forgotten.register(made, key);
    return made;
  };
  return (input, context) => {
    let ofInput = byInput.get(input);
    if (ofInput === undefined) byInput.set(input, (ofInput = new Map()));
    let result = ofInput.get(context);
    if (result === undefined) ofInput.set(context, (result = inSlice(() => find(input, context))));
    return result;
  };
}
