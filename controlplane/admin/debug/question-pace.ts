// How fast questions about the control plane are answered over ADS: making a page takes a moment in which no proxy is
// served, and every workload may ask.

/** Of the time, at most a fifth goes into pages. */
const REST_PER_WORK = 4;
/** More than this one asker does not wait for. */
const MAX_WAITING = 16;

export interface PaceClock {
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Makes pages one after another, with a rest after each; resolves to undefined at once for an asker who has too many
 * waiting.
 */
export type QuestionPace = <T>(asker: string, make: () => T) => Promise<T | undefined>;

/** Returns a pace at which nothing waits yet. */
export function createQuestionPace(clock: PaceClock): QuestionPace {
  const waiting = new Map<string, number>();
  let rested: Promise<void> = Promise.resolve();
  const done = (asker: string): void => {
    const left = (waiting.get(asker) ?? 1) - 1;
    if (left === 0) waiting.delete(asker);
    else waiting.set(asker, left);
  };
  return async (asker, make) => {
    const own = waiting.get(asker) ?? 0;
    if (own >= MAX_WAITING) return undefined;
    waiting.set(asker, own + 1);
    let workedMs = 0;
    const made = rested.then(() => {
      const beganMs = clock.monotonicMs();
      try {
        return make();
      } finally {
        workedMs = clock.monotonicMs() - beganMs;
        done(asker);
      }
    });
    rested = made
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => clock.sleep(workedMs * REST_PER_WORK));
    return made;
  };
}
