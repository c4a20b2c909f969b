// Consumes: batches of documents from sources, in whatever order they come.
// Produces: the same batches in the store, one after another, each at once and whole.
// Never does: keep others waiting while the documents of a large batch are judged.
import type { SourceBatch } from "../model/document.ts";
import type { Store } from "./store.ts";

export interface Intake {
  /**
   * Takes a small batch in at once where none is before it. What `apply` throws later is a bug, and an unhandled
   * rejection if nobody waits.
   */
  take(batch: SourceBatch): void;
  /** Resolves when all that was taken is in the store; rejects with what `apply` threw. */
  settled(): Promise<void>;
}

export interface IntakeOptions {
  readonly store: Pick<Store, "ahead" | "apply">;
  readonly clock: { monotonicMs(): number };
  /** Resolves when whoever waits had a turn. `setImmediate` unless given. */
  readonly afterOthers?: () => Promise<void>;
}

/** How long documents are judged in one go. */
const TURN_MS = 15;

/** Returns an intake with nothing in it. */
export function createIntake({
  store,
  clock,
  afterOthers = () => new Promise((resolve) => setImmediate(resolve)),
}: IntakeOptions): Intake {
  let waiting = Promise.resolve();
  let inside = 0;

  /** Does the tasks, at least one, until the time is over; returns those that are left. */
  const work = (tasks: readonly (() => void)[]): readonly (() => void)[] => {
    const endMs = clock.monotonicMs() + TURN_MS;
    let done = 0;
    while (done < tasks.length && (done === 0 || clock.monotonicMs() < endMs)) tasks[done++]!();
    return tasks.slice(done);
  };
  const takeSlowly = async (batch: SourceBatch, before: readonly (() => void)[] | undefined): Promise<void> => {
    let left = before ?? store.ahead(batch);
    for (; left.length > 0; left = work(left)) await afterOthers();
    store.apply(batch);
  };

  return {
    take(batch) {
      const left = inside === 0 ? work(store.ahead(batch)) : undefined;
      if (left?.length === 0) return store.apply(batch);
      inside++;
      waiting = waiting.then(() => takeSlowly(batch, left)).finally(() => inside--);
    },
    settled: () => waiting,
  };
}
