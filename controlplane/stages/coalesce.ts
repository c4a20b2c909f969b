// Many changes in a row become one: after a quiet time, but never later than an upper bound, and never too soon after
// the last one.

export interface CoalesceOptions {
  readonly quietMs: number;
  readonly atMostMs: number;
  /** From one action to the next at least; 0 unless given. Not more than atMostMs, which goes before it. */
  readonly apartMs?: number;
  readonly clock: { monotonicMs(): number };
}

export interface Coalesced {
  /**
   * Asks for the action; asked again within the quiet time, it waits on. For this time another quiet time may be given;
   * 0 asks for it now.
   */
  ask(quietMs?: number): void;
  /** True from an ask until the action has been done. */
  isPending(): boolean;
  /** Drops what was asked for. */
  cancel(): void;
}

/** Returns a trigger that runs `action` once for each burst of asks. */
export function coalesce(action: () => void, { quietMs, atMostMs, apartMs = 0, clock }: CoalesceOptions): Coalesced {
  let firstAskedMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastMs = -Infinity;
  let quietUntilMs = -Infinity;
  const run = (): void => {
    lastMs = clock.monotonicMs();
    firstAskedMs = undefined;
    timer = undefined;
    action();
  };
  return {
    ask(ownQuietMs = quietMs) {
      const nowMs = clock.monotonicMs();
      firstAskedMs ??= nowMs;
      // What asked before and wants more quiet gets it, unless somebody wants none.
      quietUntilMs = ownQuietMs === 0 ? nowMs : Math.max(quietUntilMs, nowMs + ownQuietMs);
      clearTimeout(timer);
      timer = setTimeout(
        run,
        Math.max(0, Math.min(Math.max(quietUntilMs, lastMs + apartMs) - nowMs, firstAskedMs + atMostMs - nowMs)),
      );
    },
    isPending: () => firstAskedMs !== undefined,
    cancel() {
      clearTimeout(timer);
      firstAskedMs = timer = undefined;
    },
  };
}
