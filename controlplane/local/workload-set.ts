// Consumes: the plans of one workload, one after the other.
// Produces: its pods, moved from plan to plan without a failed request: new pods serve before old ones are drained.
// Never does: touch another workload's pods.
import type { Clock } from "../telemetry/clock.ts";
import type { LocalPod } from "./local-pod.ts";
import type { PodFactory } from "./pod-factory.ts";
import { reconcile } from "./reconcile.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";

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

export interface WorkloadSet {
  /** Moves towards the plan (undefined: no pods); a later call overtakes an earlier one that is still waiting. */
  update(plan: WorkloadPlan | undefined): void;
  pods(): readonly LocalPod[];
  /** True when nothing is under way. */
  isSettled(): boolean;
  stop(graceMs: number): Promise<void>;
}

const READY_POLL_MS = 100;
const SLOW_START_MS = 30_000;

/** Returns the (still empty) set of a workload's pods; `key` is `namespace/name`. */
export function createWorkloadSet(key: string, rollout: Rollout): WorkloadSet {
  const { factory, clock, say, onChange } = rollout;
  let pods: LocalPod[] = [];
  let wanted: WorkloadPlan | undefined;
  let overtaken = new AbortController();
  let tail: Promise<void> = Promise.resolve();
  let pending = 0;
  const stopped = new AbortController();
  const draining = new Set<Promise<void>>();

  const current = (plan: WorkloadPlan | undefined) =>
    pods.filter((pod) => !pod.isTerminating() && pod.templateHash === plan?.templateHash);

  async function apply(plan: WorkloadPlan | undefined, signal: AbortSignal): Promise<void> {
    const steps = reconcile(
      plan ?? { replicas: 0, templateHash: "" },
      pods.filter((pod) => !pod.isTerminating()),
    );
    if (plan && steps.start.length > 0 && pods.length > 0)
      say(`${key}: starting ${steps.start.length} pod${steps.start.length === 1 ? "" : "s"}`);
    if (plan) await startPods(plan, steps.start, signal);
    if (steps.surplus.length > 0) drain(steps.surplus);
    if (steps.outdated.length === 0) return;
    if (plan && plan.replicas > 0 && !(await newPodsServe(plan, signal))) return;
    drain(steps.outdated);
  }

  async function startPods(plan: WorkloadPlan, ordinals: readonly number[], signal: AbortSignal): Promise<void> {
    const fresh: LocalPod[] = [];
    for (const ordinal of ordinals) {
      if (signal.aborted) break;
      fresh.push(await factory.createSidecar(plan, ordinal));
    }
    if (fresh.length === 0) return;
    pods = [...pods, ...fresh];
    await rollout.publish();
    await Promise.all(fresh.map((pod) => pod.start()));
  }

  async function newPodsServe(plan: WorkloadPlan, signal: AbortSignal): Promise<boolean> {
    const startedAt = clock.monotonicMs();
    let told = false;
    while (!current(plan).every((pod) => pod.isReady())) {
      if (signal.aborted) return false;
      if (!told && clock.monotonicMs() - startedAt > SLOW_START_MS) {
        told = true;
        say(`${key}: the new pods do not become ready; the old ones go on serving`);
      }
      await clock.sleep(READY_POLL_MS, signal).catch(() => undefined);
    }
    return (await rollout.acknowledged(signal)) || !signal.aborted;
  }

  function drain(names: readonly string[]): void {
    const leaving = pods.filter((pod) => names.includes(pod.name));
    const work = drainPods(leaving)
      .catch((error: unknown) => say(`${key}: draining failed: ${String(error)}`))
      .finally(() => draining.delete(work));
    draining.add(work);
  }

  async function drainPods(leaving: readonly LocalPod[]): Promise<void> {
    for (const pod of leaving) pod.markTerminating();
    if (!(await rollout.acknowledged(stopped.signal)) && !stopped.signal.aborted)
      say(`${key}: not every proxy has acknowledged in time; draining on`);
    await Promise.all(leaving.map((pod) => pod.drain()));
    remove(leaving);
    say(`${key}: stopped ${leaving.map(({ name }) => name).join(", ")}`);
  }

  function remove(gone: readonly LocalPod[]): void {
    pods = pods.filter((pod) => !gone.includes(pod));
    for (const pod of gone) factory.forget(pod);
    onChange();
  }

  return {
    update(plan) {
      if (
        stopped.signal.aborted ||
        (plan?.templateHash === wanted?.templateHash && plan?.replicas === wanted?.replicas)
      )
        return;
      wanted = plan;
      overtaken.abort(new Error("overtaken"));
      overtaken = new AbortController();
      const { signal } = overtaken;
      pending += 1;
      tail = tail
        .then(() => (signal.aborted ? undefined : apply(plan, signal)))
        .catch((error: unknown) => say(`${key}: ${error instanceof Error ? error.message : String(error)}`))
        .finally(() => (pending -= 1));
    },
    pods: () => pods,
    isSettled: () => pending === 0 && draining.size === 0,
    async stop(graceMs) {
      stopped.abort(new Error("stopped"));
      overtaken.abort(new Error("stopped"));
      await tail;
      await Promise.all(pods.map((pod) => pod.stop(graceMs)));
      await Promise.all(draining);
    },
  };
}
