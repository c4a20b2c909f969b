// Consumes: which pods of a workload are to come and which to go.
// Produces: the pods, started together, and drained together when every proxy knows that they go.
// Never does: decide which.
import type { LocalPod } from "./local-pod.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { PodFactory } from "./pod-factory.ts";

/** What a workload needs of the mesh around it. */
export interface Rollout {
  readonly factory: PodFactory;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Publishes the pods' state: from then on the control plane can know them. */
  readonly publish: () => Promise<unknown>;
  /** Publishes the pods' state and resolves when every proxy has acknowledged it, to false when that took too long. */
  readonly acknowledged: (signal: AbortSignal) => Promise<boolean>;
  readonly onChange: () => void;
}

export interface PodGroup {
  pods(): readonly LocalPod[];
  /** Makes and starts pods; stops at those that are made when `signal` says so. */
  start(plan: WorkloadPlan, ordinals: readonly number[], signal: AbortSignal): Promise<void>;
  /** Drains the pods of these names, in the background; resolves when they are gone. */
  drain(names: readonly string[]): Promise<void>;
  isDraining(): boolean;
  stop(graceMs: number): Promise<void>;
}

/**
 * Returns a group without pods; `key` is its workload's `namespace/name`, and `stopped` hurries what is being drained.
 */
export function createPodGroup(key: string, rollout: Rollout, stopped: AbortSignal): PodGroup {
  const { factory, say, onChange } = rollout;
  let pods: readonly LocalPod[] = [];
  const draining = new Set<Promise<void>>();

  async function drainPods(leaving: readonly LocalPod[]): Promise<void> {
    for (const pod of leaving) pod.markTerminating();
    if (!(await rollout.acknowledged(stopped)) && !stopped.aborted)
      say(`${key}: not every proxy has acknowledged in time; draining on`);
    await Promise.all(leaving.map((pod) => pod.drain()));
    pods = pods.filter((pod) => !leaving.includes(pod));
    for (const pod of leaving) factory.forget(pod);
    onChange();
    say(`${key}: stopped ${leaving.map(({ name }) => name).join(", ")}`);
  }

  return {
    pods: () => pods,
    async start(plan, ordinals, signal) {
      const fresh: LocalPod[] = [];
      for (const ordinal of ordinals) {
        if (signal.aborted) break;
        fresh.push(await factory.createSidecar(plan, ordinal));
      }
      if (fresh.length === 0) return;
      pods = [...pods, ...fresh];
      await rollout.publish();
      await Promise.all(fresh.map((pod) => pod.start()));
    },
    drain(names) {
      const work = drainPods(pods.filter((pod) => names.includes(pod.name)))
        .catch((error: unknown) => say(`${key}: draining failed: ${String(error)}`))
        .finally(() => draining.delete(work));
      draining.add(work);
      return work;
    },
    isDraining: () => draining.size > 0,
    async stop(graceMs) {
      await Promise.all(pods.map((pod) => pod.stop(graceMs)));
      await Promise.all(draining);
    },
  };
}
