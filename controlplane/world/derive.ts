// consumes: Worlds (or Worlds with the modules beside them), one after another, and pure functions of them
// produces: those functions' answers, made anew only where something that the last answer was made from is different
// now
// never does: guess what an answer depends on: what it read while it was made is what it depends on

// Take it for what is worked out from a state of the mesh. It costs a trace for each answer, and going through it for
// each new state in which something of a kind changed that the answer depends on.
import { Answer, AnswerRead } from "./answer.ts";
import type { Answers } from "./answers.ts";
import type { Readable } from "./source.ts";

// An answer is kept with its trace: every list, object and other answer it read, in order, with what it was told.
//
//     hosts(default) ─reads→ list(Service) = [s1, s2]
//                    ─reads→ host(default, s1) = h1 ─reads→ get(VirtualService, …) = v7
//                    ─reads→ host(default, s2) = h2 ─reads→ …
//
// In another World the trace is gone through: as long as each question has the same answer (by reference) as it had,
// the kept answer stands. The first that differs, and the answer is made anew; if it comes out as it was, whoever read
// it stands on. Worlds may be asked about in any order.

/**
 * A question whose answer is kept. Equal keys mean equal questions; arguments are text and numbers unless `keyOf` is
 * given.
 */
export interface DeriveOptions<A extends readonly unknown[], R> {
  readonly keyOf?: (...args: A) => string;
  /**
   * Whether a new answer says the same as the one before, which then stands on: nothing that read it is made again. By
   * reference unless given.
   */
  readonly same?: (before: R, after: R) => boolean;
}

/**
 * Returns `compute` with its answers kept from state to state. It must be pure and read the state that it is given, no
 * other.
 */
export function derived<S extends Readable<S>, A extends readonly unknown[], R>(
  compute: (from: S, ...args: A) => R,
  { keyOf = (...args: A) => args.join("\0"), same = Object.is }: DeriveOptions<A, R> = {},
): (from: S, ...args: A) => R {
  const among = new WeakMap<Answers, Map<string, Answer<S, R>>>();
  return ({ source, recorder }, ...args) => {
    const { answers } = source;
    let byKey = among.get(answers);
    if (byKey === undefined) {
      among.set(answers, (byKey = new Map<string, Answer<S, R>>()));
      answers.watch(byKey);
    }
    const key = keyOf(...args);
    let answer = byKey.get(key);
    if (answer === undefined)
      byKey.set(key, (answer = new Answer<S, R>((from) => compute(from, ...args), same, answers)));
    const value = answer.in(source);
    if (recorder === undefined) answers.noteUse(answer);
    else recorder.note(new AnswerRead(answer, value), answer.places);
    return value;
  };
}

/**
 * Lets go of answers that do not hold in this state. Until this is said each question keeps the answer that it had when
 * this was said last, beside the one it was given last: one state can be made ready while another is asked about, and
 * neither costs the other its answers.
 */
export function keepOnlyAnswersOf<S>({ source }: Readable<S>): void {
  source.answers.keepOnly(source.stamps);
}

/** Whether two lists hold the same items: for `same`. */
export function sameItems<T>(before: readonly T[], after: readonly T[]): boolean {
  return before.length === after.length && before.every((item, index) => Object.is(item, after[index]));
}

/** Whether two maps hold the same values under the same keys in the same order: for `same`. */
export function sameEntries<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): boolean {
  if (before.size !== after.size) return false;
  const others = after.entries();
  for (const [key, value] of before) {
    const [otherKey, other] = others.next().value!;
    if (key !== otherKey || !Object.is(value, other)) return false;
  }
  return true;
}

/** Whether two objects hold the same values in the same fields: for `same`. */
export function sameFields<T extends object>(before: T, after: T): boolean {
  return sameEntries(new Map(Object.entries(before)), new Map(Object.entries(after)));
}
