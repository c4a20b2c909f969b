import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reconcile, type RunningPod } from "./reconcile.ts";

const pod = (ordinal: number, templateHash = "new"): RunningPod => ({
  name: `p-${ordinal}-${templateHash}`,
  ordinal,
  templateHash,
});

describe("reconcile", () => {
  it("starts what is missing, at the lowest free ordinals", () => {
    expect(reconcile({ replicas: 3, templateHash: "new" }, [pod(1)])).toEqual({
      start: [0, 2],
      surplus: [],
      outdated: [],
    });
  });
  it("drains the highest ordinals when there are too many", () => {
    expect(reconcile({ replicas: 1, templateHash: "new" }, [pod(2), pod(0), pod(1)])).toEqual({
      start: [],
      surplus: ["p-1-new", "p-2-new"],
      outdated: [],
    });
  });
  it("replaces pods of another template, new ones first", () => {
    expect(reconcile({ replicas: 2, templateHash: "new" }, [pod(0, "old"), pod(1, "old")])).toEqual({
      start: [0, 1],
      surplus: [],
      outdated: ["p-0-old", "p-1-old"],
    });
  });
  it("ends with exactly the replicas asked for, whatever runs", () => {
    const running = fc.uniqueArray(fc.record({ ordinal: fc.nat(9), templateHash: fc.constantFrom("new", "old") }), {
      selector: (each) => `${each.ordinal}${each.templateHash}`,
    });
    fc.assert(
      fc.property(fc.nat(6), running, (replicas, pods) => {
        const before = pods.map(({ ordinal, templateHash }) => pod(ordinal, templateHash));
        const { start, surplus, outdated } = reconcile({ replicas, templateHash: "new" }, before);
        const gone = new Set([...surplus, ...outdated]);
        const left = before.filter(({ name }) => !gone.has(name));
        const after = [...left.map(({ ordinal }) => ordinal), ...start];
        expect(after).toHaveLength(replicas);
        expect(new Set(after).size).toBe(replicas);
      }),
    );
  });
});
