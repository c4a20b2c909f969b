// Consumes: the plans of one workload, one after the other.
// Produces: its pods, moved from plan to plan without a failed request: new pods serve before old ones are drained.
// Never does: touch another workload's pods.
import type { LocalPod } from "./local-pod.ts";
import { createPodGroup, type PodGroup, type Rollout } from "./pod-group.ts";
import { type Reconciliation, reconcile } from "./reconcile.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";
import { createTurns } from "./turns.ts";

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
  const stopped = new AbortController();
  const group = createPodGroup(key, rollout, stopped.signal);
  const turns = createTurns((message) => rollout.say(`${key}: ${message}`));
  let wanted: WorkloadPlan | undefined;
  let overtaken = new AbortController();
  return {
    update(plan) {
      const isSame = plan?.templateHash === wanted?.templateHash && plan?.replicas === wanted?.replicas;
      if (stopped.signal.aborted || isSame) return;
      wanted = plan;
      overtaken.abort(new Error("overtaken"));
      overtaken = new AbortController();
      const { signal } = overtaken;
      turns.add(() => (signal.aborted ? undefined : moveTo(plan, { key, group, rollout, signal })));
    },
    pods: group.pods,
    isSettled: () => turns.isIdle() && !group.isDraining(),
    async stop(graceMs) {
      stopped.abort(new Error("stopped"));
      overtaken.abort(new Error("stopped"));
      await turns.done();
      await group.stop(graceMs);
    },
  };
}

interface Move {
  readonly key: string;
  readonly group: PodGroup;
  readonly rollout: Rollout;
  /** Aborted when a later plan overtakes this one. */
  readonly signal: AbortSignal;
}

async function moveTo(plan: WorkloadPlan | undefined, move: Move): Promise<void> {
  const { key, group, rollout, signal } = move;
  const steps = reconcile(plan ?? { replicas: 0, templateHash: "" }, staying(group));
  if (plan?.hasStableNames) return replaceInPlace(plan, steps, move);
  const count = steps.start.length;
  if (plan && count > 0 && group.pods().length > 0)
    rollout.say(`${key}: starting ${count} pod${count === 1 ? "" : "s"}`);
  if (plan) await group.start(plan, steps.start, signal);
  if (steps.surplus.length > 0) void group.drain(steps.surplus);
  if (steps.outdated.length === 0) return;
  if (plan && plan.replicas > 0 && !(await newPodsServe(plan, move))) return;
  void group.drain(steps.outdated);
}

/** One pod after the other, the last first: each goes before the new one of its name comes. */
async function replaceInPlace(plan: WorkloadPlan, steps: Reconciliation, move: Move): Promise<void> {
  const { group, signal } = move;
  const old = staying(group)
    .filter(({ name }) => steps.outdated.includes(name))
    .sort((a, b) => b.ordinal - a.ordinal);
  const held = old.map(({ ordinal }) => ordinal);
  if (steps.surplus.length > 0) await group.drain(steps.surplus);
  await group.start(
    plan,
    steps.start.filter((ordinal) => !held.includes(ordinal)),
    signal,
  );
  for (const { name, ordinal } of old) {
    if (signal.aborted) return;
    await group.drain([name]);
    if (ordinal < plan.replicas) await group.start(plan, [ordinal], signal);
    if (!(await newPodsServe(plan, move))) return;
  }
}

async function newPodsServe(plan: WorkloadPlan, { key, group, rollout, signal }: Move): Promise<boolean> {
  const { clock, say } = rollout;
  const current = () => staying(group).filter(({ templateHash }) => templateHash === plan.templateHash);
  const startedAt = clock.monotonicMs();
  let told = false;
  while (!current().every((pod) => pod.isReady() || pod.isFinished())) {
    if (signal.aborted) return false;
    if (!told && clock.monotonicMs() - startedAt > SLOW_START_MS) {
      told = true;
      say(`${key}: the new pods do not become ready; the old ones go on serving`);
    }
    await clock.sleep(READY_POLL_MS, signal).catch(() => undefined);
  }
  return (await rollout.acknowledged(signal)) || !signal.aborted;
}

function staying(group: PodGroup): readonly LocalPod[] {
  return group.pods().filter((pod) => !pod.isTerminating());
}
