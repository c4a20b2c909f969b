// What streams that come with nothing have in common: a thousand of them ask for the same names.
import { type Held, MUST_ANSWER } from "./type-state.ts";

/** Names that were asked for at once: as a set, and as names that must be answered. */
export interface AskedNames {
  readonly names: ReadonlySet<string>;
  readonly asked: ReadonlyMap<string, Held>;
}

interface KnownList extends AskedNames {
  readonly list: readonly string[];
}

/** Shorter lists are not worth being looked for. */
const LONG = 32;
const LISTS_KEPT = 8;
const lists: KnownList[] = [];

/** Returns what was made of the same list of names before; undefined for a short one. */
export function askedTogether(list: readonly string[]): AskedNames | undefined {
  if (list.length < LONG) return undefined;
  const known = lists.find((one) => one.list.length === list.length && one.list.every((name, at) => name === list[at]));
  if (known !== undefined) return known;
  const fresh = { list, names: new Set(list), asked: new Map(list.map((name) => [name, MUST_ANSWER])) };
  lists.unshift(fresh);
  lists.length = Math.min(lists.length, LISTS_KEPT);
  return fresh;
}
