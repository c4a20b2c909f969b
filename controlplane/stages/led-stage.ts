// A stage of which, among several control planes, only the one that leads runs.
import type { Cell } from "./cell.ts";
import type { Stage } from "./stage.ts";

/** Called with what a stage could not do when its turn came, or was over. */
export type LedFailure = (stage: Stage, fault: unknown) => void;

/**
 * Returns the stage that runs as long as this control plane leads: it is started at the beginning of each term, its
 * signal ends at once with it, and a term begins when the one before is stopped.
 */
export function createLedStage(stage: Stage, leads: Cell<boolean>, failed: LedFailure): Stage {
  let term: AbortController | undefined;
  let steps = Promise.resolve();
  const then = (step: () => Promise<void> | undefined): void => {
    steps = steps.then(step).catch((fault: unknown) => failed(stage, fault));
  };
  const begin = (): void => {
    const { signal } = (term = new AbortController());
    then(async () => {
      if (!signal.aborted) await stage.start?.(signal);
    });
  };
  const end = (): void => {
    if (term === undefined) return;
    term.abort();
    term = undefined;
    then(() => stage.stop?.());
  };
  let unfollow: () => void = () => undefined;
  return {
    name: stage.name,
    ...(stage.open && { open: () => stage.open?.() ?? Promise.resolve() }),
    async start() {
      unfollow = leads.subscribe((isLeader) => (isLeader ? begin() : end()));
      if (leads.read()) begin();
    },
    async stop() {
      unfollow();
      end();
      await steps;
    },
  };
}
