// How much may be on its way to all clients together: after a restart a thousand of them want everything at once, and
// the sum must not be held in memory.

export interface WriteBudget {
  /** Counts bytes that were handed to a transport. */
  take(bytes: number): void;
  /** They have left. Who waits longest is let on first. */
  give(bytes: number): void;
  hasRoom(): boolean;
  /** Calls back once there is room; the function returned gives up waiting. */
  whenRoom(proceed: () => void): () => void;
}

/** A budget of so many bytes. One writer alone is never held up, however much it sends. */
export function createWriteBudget(limitBytes: number): WriteBudget {
  let outstanding = 0;
  const waiting = new Set<() => void>();
  const hasRoom = (): boolean => outstanding < limitBytes;
  return {
    take(bytes) {
      outstanding += bytes;
    },
    give(bytes) {
      outstanding -= bytes;
      while (hasRoom()) {
        const [next] = waiting;
        if (next === undefined) return;
        waiting.delete(next);
        next();
      }
    },
    hasRoom,
    whenRoom(proceed) {
      waiting.add(proceed);
      return () => void waiting.delete(proceed);
    },
  };
}
