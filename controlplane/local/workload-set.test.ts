import { describe, expect, it } from "vitest";
import { createSystemClock } from "../telemetry/clock.ts";
import type { LocalPod } from "./local-pod.ts";
import type { PodFactory } from "./pod-factory.ts";
import { podOf } from "./testing-world.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";
import { createWorkloadSet } from "./workload-set.ts";

const plan = (changes: Partial<WorkloadPlan> = {}): WorkloadPlan => ({
  name: "web",
  namespace: "default",
  replicas: 1,
  labels: {},
  serviceAccount: "web",
  command: "x",
  folder: "/",
  ports: [],
  variables: [],
  probe: undefined,
  graceMs: 0,
  templateHash: "a",
  ...changes,
});

/** Pods that become ready when told; everything that happens is written down in order. */
function fakeMesh() {
  const events: string[] = [];
  const ready = new Set<string>();
  let terminating = new Set<string>();
  const createSidecar = async ({ templateHash }: WorkloadPlan, ordinal: number): Promise<LocalPod> => {
    const name = `${templateHash}${ordinal}`;
    return {
      name,
      templateHash,
      ordinal,
      start: async () => void events.push(`start ${name}`),
      snapshot: () => ({
        pod: podOf({ name }),
        ready: ready.has(name),
        deletionTimestamp: undefined,
        envoyPid: undefined,
      }),
      isReady: () => ready.has(name),
      isFinished: () => false,
      isTerminating: () => terminating.has(name),
      setPorts: () => undefined,
      markTerminating: () => {
        terminating = new Set([...terminating, name]);
        events.push(`terminating ${name}`);
      },
      drain: async () => void events.push(`drain ${name}`),
      stop: async () => void events.push(`stop ${name}`),
    };
  };
  const factory: PodFactory = {
    createSidecar,
    createRouter: () => {
      throw new Error("not here");
    },
    forget: ({ name }) => void events.push(`forget ${name}`),
  };
  const set = createWorkloadSet("default/web", {
    factory,
    clock: createSystemClock(),
    say: () => undefined,
    onChange: () => undefined,
    publish: async () => void events.push("published"),
    acknowledged: async (signal) => {
      events.push(signal.aborted ? "stopped waiting" : "acknowledged");
      return !signal.aborted;
    },
  });
  return { events, ready, set };
}

async function settled(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("createWorkloadSet", () => {
  it("starts the replicas asked for", async () => {
    const { events, set } = fakeMesh();
    set.update(plan({ replicas: 2 }));
    await settled(() => set.isSettled());
    // Published first: a proxy whose identity is not known yet is refused.
    expect(events).toEqual(["published", "start a0", "start a1"]);
  });

  it("does nothing for a plan it already has", async () => {
    const { events, set } = fakeMesh();
    set.update(plan());
    set.update(plan());
    await settled(() => set.isSettled());
    expect(events).toEqual(["published", "start a0"]);
  });

  it("lets new pods serve before old ones leave, and tells every proxy before an old one drains", async () => {
    const { events, ready, set } = fakeMesh();
    set.update(plan());
    await settled(() => set.isSettled());
    set.update(plan({ templateHash: "b" }));
    await settled(() => events.includes("start b0"));
    expect(events).toEqual(["published", "start a0", "published", "start b0"]);
    ready.add("b0");
    await settled(() => set.isSettled());
    expect(events).toEqual([
      "published",
      "start a0",
      "published",
      "start b0",
      "acknowledged",
      "terminating a0",
      "acknowledged",
      "drain a0",
      "forget a0",
    ]);
    expect(set.pods().map(({ name }) => name)).toEqual(["b0"]);
  });

  it("replaces pods that keep their names in place, the last first, each once the one before serves", async () => {
    const { events, ready, set } = fakeMesh();
    const stable = { replicas: 2, hasStableNames: true };
    set.update(plan(stable));
    await settled(() => set.isSettled());
    set.update(plan({ ...stable, templateHash: "b" }));
    await settled(() => events.includes("start b1"));
    expect(events.filter((event) => /^(start|drain)/.test(event))).toEqual([
      "start a0",
      "start a1",
      "drain a1",
      "start b1",
    ]);
    for (const name of ["b0", "b1"]) ready.add(name);
    await settled(() => set.isSettled());
    expect(events.filter((event) => /^(start|drain)/.test(event)).slice(4)).toEqual(["drain a0", "start b0"]);
  });

  it("lets a later plan overtake one whose pods never become ready; the serving pod stays meanwhile", async () => {
    const { events, ready, set } = fakeMesh();
    set.update(plan());
    await settled(() => set.isSettled());
    set.update(plan({ templateHash: "broken" }));
    await settled(() => events.includes("start broken0"));
    expect(events).not.toContain("terminating a0");
    set.update(plan({ templateHash: "c" }));
    await settled(() => events.includes("start c0"));
    ready.add("c0");
    await settled(() => set.isSettled());
    expect(set.pods().map(({ name }) => name)).toEqual(["c0"]);
  });

  it("drains everything when the workload is gone", async () => {
    const { events, set } = fakeMesh();
    set.update(plan({ replicas: 2 }));
    set.update(undefined);
    await settled(() => set.isSettled());
    expect(set.pods()).toEqual([]);
    expect(events.filter((event) => event.startsWith("start")).length).toBe(
      events.filter((event) => event.startsWith("drain")).length,
    );
  });
});
