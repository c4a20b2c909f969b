// Consumes: the stages of a control plane, in the order of the data.
// Produces: them, running; and ended again, the last first.
// Never does: know what a stage is about, or leave one running when another could not start.

import type { Cell } from "./cell.ts";
import { createLedStage, type LedFailure } from "./led-stage.ts";

/** One step of the way of the data. What it needs it is given when it is made, and what it gives are its cells. */
export interface Stage {
  readonly name: string;
  /**
   * With several control planes only the one that leads may run it: it decides for all of them. It is started and
   * stopped with each of its terms. Without a mark it runs in each.
   */
  readonly runsOn?: "leader";
  /** Takes what it wants of the machine (a port), before any stage starts: what is taken already is told at once. */
  open?(): Promise<void>;
  /** Resolves when the next stage may start. What goes on afterwards ends with the signal. */
  start?(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing of it is left running and all that must last is written. */
  stop?(): Promise<void>;
}

/** Stages that run and end together. */
export interface RunningStages {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Of several control planes: whether this one leads, and who is told what its stages could not do in their terms. */
export interface Leadership {
  readonly leads: Cell<boolean>;
  readonly failed: LedFailure;
}

/**
 * Returns the stages as one: `start` opens all and then starts each when the one before it is ready; if one rejects,
 * those before it are stopped and `start` rejects with its reason; none is started after `stop`. `stop` ends them from the last to the first, and
 * rejects with the first fault when all were asked to end. Without others, this control plane leads.
 */
export function runStages(given: readonly Stage[], leadership?: Leadership): RunningStages {
  const stages = given.map((stage) =>
    leadership !== undefined && stage.runsOn === "leader"
      ? createLedStage(stage, leadership.leads, leadership.failed)
      : stage,
  );
  const ending = new AbortController();
  const stopAll = async (): Promise<void> => {
    ending.abort();
    const faults: unknown[] = [];
    for (const stage of stages.toReversed()) await stage.stop?.().catch((fault: unknown) => faults.push(fault));
    if (faults.length > 0) throw faults[0];
  };
  return {
    async start() {
      try {
        for (const stage of stages) await stage.open?.();
        for (const stage of stages) if (!ending.signal.aborted) await stage.start?.(ending.signal);
      } catch (reason) {
        await stopAll().catch(() => undefined);
        throw reason;
      }
    },
    stop: stopAll,
  };
}
