/** Work that is done one piece after the other, in the order in which it was asked for. */
export interface Turns {
  /** Does the work when its turn has come; `whenFailed` is told of what it throws. */
  add(work: () => Promise<void> | void): void;
  isIdle(): boolean;
  /** Resolves when all that was asked for until now is done. */
  done(): Promise<void>;
}

/** Returns turns without work; `whenFailed` gets the message of each piece that failed. */
export function createTurns(whenFailed: (message: string) => void): Turns {
  let tail: Promise<void> = Promise.resolve();
  let pending = 0;
  return {
    add(work) {
      pending += 1;
      tail = tail
        .then(work)
        .catch((error: unknown) => whenFailed(error instanceof Error ? error.message : String(error)))
        .finally(() => (pending -= 1));
    },
    isIdle: () => pending === 0,
    done: () => tail,
  };
}
