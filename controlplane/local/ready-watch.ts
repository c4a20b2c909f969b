import type { Clock } from "../telemetry/clock.ts";

export interface ReadyWatch {
  isReady(): boolean;
  /** From now on not ready, until a check succeeds again. */
  lost(): void;
  stop(): Promise<void>;
}

export interface ReadyWatchOptions {
  /** Whether all is well right now. */
  readonly check: () => Promise<boolean>;
  /** Between two checks while ready. */
  readonly periodMs: number;
  /** Failures in a row that end readiness. */
  readonly failureThreshold: number;
  readonly onChange: (ready: boolean) => void;
  readonly clock: Clock;
}

const STARTING_PERIOD_MS = 150;
const SLOWEST_START_STEPS = 10;

/** Checks again and again: often at first and after a loss, at its period while ready. */
export function watchReady({ check, periodMs, failureThreshold, onChange, clock }: ReadyWatchOptions): ReadyWatch {
  const ended = new AbortController();
  let ready = false;
  let failures = 0;

  function set(now: boolean): void {
    if (ready === now) return;
    ready = now;
    onChange(now);
  }

  /** A loss ends the pause: the next check must not wait for a whole period. */
  async function pause(ms: number): Promise<void> {
    const until = clock.monotonicMs() + ms;
    const before = ready;
    while (!ended.signal.aborted && ready === before && clock.monotonicMs() < until) {
      await clock.sleep(Math.min(STARTING_PERIOD_MS, ms), ended.signal).catch(() => undefined);
    }
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const good = await check();
      failures = good ? 0 : failures + 1;
      if (good) set(true);
      else if (failures >= failureThreshold) set(false);
      await pause(good ? periodMs : Math.min(periodMs, STARTING_PERIOD_MS * Math.min(failures, SLOWEST_START_STEPS)));
    }
  }

  const running = run();
  return {
    isReady: () => ready,
    lost: () => set(false),
    async stop() {
      ended.abort(new Error("stopped"));
      await running;
    },
  };
}
