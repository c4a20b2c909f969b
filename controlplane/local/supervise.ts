import type { Clock } from "../telemetry/clock.ts";
import { createBackoff } from "./backoff.ts";
import type { Child, ChildExit } from "./child-process.ts";

/** A process that is started again whenever it ends by itself, unless it is done then. */
export interface Supervised {
  /** The running process's id; undefined between two runs. */
  pid(): number | undefined;
  /** Ends it for good. */
  stop(graceMs: number): Promise<void>;
}

export interface Supervision {
  /** Called for each run; may fail by rejecting, which counts as a run that ended at once. */
  readonly start: () => Promise<Child> | Child;
  readonly onStart?: () => void;
  /** Called when it ended by itself, with the time until it is started again. */
  readonly onCrash: (exit: ChildExit, restartInMs: number) => void;
  /** Whether it is done, having ended by itself like this; left out, it never is. */
  readonly isDone?: (exit: ChildExit) => boolean;
  readonly clock: Clock;
}

/** Starts a process and keeps it running, with growing pauses, until `stop`. */
export function supervise({ start, onStart, onCrash, isDone, clock }: Supervision): Supervised {
  const ended = new AbortController();
  const backoff = createBackoff();
  let child: Child | undefined;

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const exit = await runOnce();
      if (ended.signal.aborted || isDone?.(exit) === true) return;
      const waitMs = backoff.next(exit.ranForMs);
      onCrash(exit, waitMs);
      await clock.sleep(waitMs, ended.signal).catch(() => undefined);
    }
  }

  async function runOnce(): Promise<ChildExit> {
    try {
      const started = await start();
      // Stopped while it was being started: it must not outlive that.
      if (ended.signal.aborted) return await started.stop(0);
      child = started;
      onStart?.();
      return await started.exited;
    } catch (error) {
      return { code: null, signal: null, ranForMs: 0, error: error instanceof Error ? error.message : String(error) };
    } finally {
      child = undefined;
    }
  }

  const running = run();
  return {
    pid: () => child?.pid,
    async stop(graceMs) {
      ended.abort(new Error("stopped"));
      await child?.stop(graceMs);
      await running;
    },
  };
}
