// The types that one stream asked for, of which there are few: a change of one shares all else with the table before,
// and copies no Map for each event of each stream.
import type { TypeState } from "./type-state.ts";

/** States by type URL, in the order in which they were asked for. Never changes: `with` gives another table. */
export class TypeTable {
  readonly #urls: readonly string[];
  readonly #states: readonly TypeState[];

  private constructor(urls: readonly string[], states: readonly TypeState[]) {
    this.#urls = urls;
    this.#states = states;
  }

  static readonly empty = new TypeTable([], []);

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

  /** The table with this state under a type URL, behind the others if it is new. */
  with(typeUrl: string, state: TypeState): TypeTable {
    const at = this.#urls.indexOf(typeUrl);
    if (at < 0) return new TypeTable([...this.#urls, typeUrl], [...this.#states, state]);
    if (this.#states[at] === state) return this;
    const states = this.#states.slice();
    states[at] = state;
    return new TypeTable(this.#urls, states);
  }

  /** The table with each state as `change` has it; the same table when all stayed as they were. */
  map(change: (state: TypeState) => TypeState): TypeTable {
    const states = this.#states.map(change);
    return states.every((state, at) => state === this.#states[at]) ? this : new TypeTable(this.#urls, states);
  }
}
