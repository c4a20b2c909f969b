// When a status that would say something else is written: at once what its author waits for, seldom what only counts
// on. Pure.
import type { Condition } from "./conditions.ts";

/** A status as it is to be, or as it was written. */
export interface Status {
  readonly generation: number | undefined;
  readonly conditions: readonly Condition[];
}

/** A status that was written, and when; by the clock that never goes back. */
export interface WrittenStatus extends Status {
  readonly writtenAtMs: number;
}

/** Proxies that come and go are no news about an object: who had it has it again soon. */
const WORSE_AFTER_MS = 30_000;
/** While it is on its way. */
const PROGRESS_EVERY_MS = 5_000;
/** When only the numbers are others: of a thousand objects with proxies that come and go, three in a second. */
const COUNTS_EVERY_MS = 300_000;

/**
 * Returns when a status is to be written that has been this one since `sinceMs`; undefined: it says what is written.
 */
export function dueAtMs(written: WrittenStatus | undefined, wanted: Status, sinceMs: number): number | undefined {
  if (written === undefined) return sinceMs;
  if (written.generation !== wanted.generation) return sinceMs;
  const [had, has] = [distributed(written), distributed(wanted)];
  if (isOther(withoutDistributed(written), withoutDistributed(wanted))) return sinceMs;
  if (!isOther([had], [has])) return undefined;
  if (had === undefined || has === undefined || had.reason === "Held" || has.reason === "Held") return sinceMs;
  if (had.status === "False") return has.status === "True" ? sinceMs : written.writtenAtMs + PROGRESS_EVERY_MS;
  return has.status === "False" ? sinceMs + WORSE_AFTER_MS : written.writtenAtMs + COUNTS_EVERY_MS;
}

function distributed({ conditions }: Status): Condition | undefined {
  return conditions.find(({ type }) => type === "Distributed");
}

function withoutDistributed({ conditions }: Status): readonly Condition[] {
  return conditions.filter(({ type }) => type !== "Distributed");
}

/** Whether two statuses are not word for word the same; since when they are so says nothing. */
function isOther(one: readonly (Condition | undefined)[], other: readonly (Condition | undefined)[]): boolean {
  return textOf(one) !== textOf(other);
}

function textOf(conditions: readonly (Condition | undefined)[]): string {
  return JSON.stringify(
    conditions.map((condition) => condition && [condition.type, condition.status, condition.reason, condition.message]),
  );
}
