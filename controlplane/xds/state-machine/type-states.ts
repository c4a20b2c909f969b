// The types that one stream asked for, of which there are few: a change of one shares all else with the states before,
// and copies no Map for each event of each stream.
import type { TypeState } from "./type-state.ts";

/** States by type URL, in the order in which they were asked for. Never changes: `with` gives others. */
export class TypeStates {
  readonly #urls: readonly string[];
  readonly #states: readonly TypeState[];

  private constructor(urls: readonly string[], states: readonly TypeState[]) {
    this.#urls = urls;
    this.#states = states;
  }

  static readonly empty = new TypeStates([], []);

  get size(): number {
    return this.#urls.length;
  }

  get(typeUrl: string): TypeState | undefined {
    return this.#states[this.#urls.indexOf(typeUrl)];
  }

  keys(): readonly string[] {
    return this.#urls;
  }

  values(): readonly TypeState[] {
    return this.#states;
  }

  /** The states with this one under a type URL, behind the others if it is new. */
  with(typeUrl: string, state: TypeState): TypeStates {
    const at = this.#urls.indexOf(typeUrl);
    if (at < 0) return new TypeStates([...this.#urls, typeUrl], [...this.#states, state]);
    if (this.#states[at] === state) return this;
    const states = this.#states.slice();
    states[at] = state;
    return new TypeStates(this.#urls, states);
  }

  /** The states, each as `change` has it; the same object when all stayed as they were. */
  map(change: (state: TypeState) => TypeState): TypeStates {
    const states = this.#states.map(change);
    return states.every((state, at) => state === this.#states[at]) ? this : new TypeStates(this.#urls, states);
  }
}
