// A source that tells of nothing at its first word, although an earlier run had objects of it: emptied by accident,
// perhaps. Pure.
import type { SourceBatch } from "../model/document.ts";
import { fileOrigin } from "../model/origin.ts";
import type { Contribution } from "./contribution.ts";
import type { StoreViolation } from "./objects-in-force.ts";

/** Which source must not lose everything between two runs. */
export interface KeptSource {
  readonly name: string;
  /** Its units are the files under this directory. */
  readonly directory: string;
}

export interface EmptiedSource {
  /**
   * Returns the units that stay as they were in the earlier run: called with the source's first batch, and what was
   * remembered before it.
   */
  hold(batch: SourceBatch, remembered: ReadonlyMap<string, Contribution>): ReadonlyMap<string, Contribution>;
  /** Returns the units to let go of, now that the source tells of something again; none while it does not. */
  release(batch: SourceBatch): ReadonlyMap<string, Contribution>;
  /** Whether units of this source stay as they were. */
  isHolding(source: string): boolean;
  violations(): readonly StoreViolation[];
}

/** Returns the bookkeeping for one source; without `kept` it never holds anything. */
export function createEmptiedSource(kept: KeptSource | undefined): EmptiedSource {
  let held: ReadonlyMap<string, Contribution> = new Map();

  return {
    hold(batch, remembered) {
      if (kept === undefined || batch.source !== kept.name || !tellsNothing(batch)) return new Map();
      held = new Map([...remembered].filter(([id]) => id.startsWith(`${kept.directory}/`)));
      return held;
    },
    release(batch) {
      if (batch.source !== kept?.name || tellsNothing(batch)) return new Map();
      const released = held;
      held = new Map();
      return released;
    },
    isHolding: (source) => source === kept?.name && held.size > 0,
    violations() {
      if (kept === undefined || held.size === 0) return [];
      const count = [...held.values()].reduce((sum, { defined }) => sum + defined.size, 0);
      const what = `the ${count} of the last run are kept`;
      const message = `the directory holds no object: ${what}; --allow-empty deletes them`;
      const origin = fileOrigin(kept.directory);
      return [{ severity: "error", origin, object: "", field: "", message, servingLastGood: true }];
    },
  };
}

function tellsNothing({ units }: SourceBatch): boolean {
  return units.every(({ documents, problems }) => documents.length === 0 && problems.length === 0);
}
