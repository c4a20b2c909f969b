import { describe, expect, it } from "vitest";
import { createCell } from "./cell.ts";
import { createLedStage } from "./led-stage.ts";
import type { Stage } from "./stage.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve));

function setUp(leadsAtFirst: boolean) {
  const heard: string[] = [];
  const faults: unknown[] = [];
  const leads = createCell(leadsAtFirst);
  const signals: AbortSignal[] = [];
  let isFailing = false;
  const stage: Stage = {
    name: "root ConfigMaps",
    async start(signal) {
      signals.push(signal);
      heard.push("start");
      await turn();
      if (isFailing) throw new Error("cannot");
      heard.push("started");
    },
    async stop() {
      heard.push("stop");
    },
  };
  const led = createLedStage(stage, leads, (_stage, fault) => faults.push(fault));
  return { heard, faults, leads, signals, led, fail: () => (isFailing = true) };
}

describe("a stage of the leader", () => {
  it("runs while this control plane leads, and begins anew with each term", async () => {
    const { heard, leads, led, signals } = setUp(false);
    await led.start?.(new AbortController().signal);
    await turn();
    expect(heard).toEqual([]);
    leads.set(true);
    await turn();
    await turn();
    leads.set(false);
    expect(signals[0]?.aborted).toBe(true);
    leads.set(true);
    await turn();
    await turn();
    await led.stop?.();
    expect(heard).toEqual(["start", "started", "stop", "start", "started", "stop"]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it("is not stopped where it never ran, nor started for a term that is over already", async () => {
    const { heard, leads, led } = setUp(true);
    await led.start?.(new AbortController().signal);
    leads.set(false);
    leads.set(true);
    leads.set(false);
    await led.stop?.();
    expect(heard.filter((what) => what === "started")).toHaveLength(heard.filter((what) => what === "start").length);
    const never = setUp(false);
    await never.led.start?.(new AbortController().signal);
    await never.led.stop?.();
    expect(never.heard).toEqual([]);
  });

  it("that cannot start is told of, and leads the others on", async () => {
    const { faults, led, fail } = setUp(true);
    fail();
    await led.start?.(new AbortController().signal);
    await led.stop?.();
    expect(faults).toEqual([new Error("cannot")]);
  });
});
