import { describe, expect, it } from "vitest";
import type { Clock } from "../telemetry/clock.ts";
import { createBackoff } from "./backoff.ts";
import type { Child, ChildExit } from "./child-process.ts";
import { supervise } from "./supervise.ts";

function fakeClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  return { slept, nowMs: () => 0, monotonicMs: () => 0, sleep: async (ms) => void slept.push(ms) };
}

function fakeChild(ranForMs: number, endsItself = true): Child & { readonly stops: number[] } {
  const stops: number[] = [];
  let end: (exit: ChildExit) => void = () => undefined;
  const exited = new Promise<ChildExit>((resolve) => (end = resolve));
  if (endsItself) end({ code: 1, signal: null, ranForMs });
  return {
    pid: 7,
    exited,
    stops,
    stop: (graceMs) => (stops.push(graceMs), end({ code: 0, signal: null, ranForMs }), exited),
  };
}

describe("createBackoff", () => {
  it("doubles up to a bound, and starts over after a steady run", () => {
    const backoff = createBackoff(100, 500);
    expect([0, 0, 0, 0, 60_000, 0].map((ranForMs) => backoff.next(ranForMs))).toEqual([100, 200, 400, 500, 100, 200]);
  });
});

describe("supervise", () => {
  it("starts a process again with growing pauses, until it is stopped", async () => {
    const clock = fakeClock();
    const steady = fakeChild(0, false);
    const children = [fakeChild(0), fakeChild(0), steady];
    const crashes: number[] = [];
    let started: () => void = () => undefined;
    const last = new Promise<void>((resolve) => (started = resolve));
    const supervised = supervise({
      start: () => children.shift() ?? steady,
      onStart: () => {
        if (children.length === 0) started();
      },
      onCrash: (_, restartInMs) => crashes.push(restartInMs),
      clock,
    });
    await last;
    expect(crashes).toEqual([250, 500]);
    expect(supervised.pid()).toBe(7);
    await supervised.stop(1_234);
    expect(steady.stops).toEqual([1_234]);
    expect(supervised.pid()).toBeUndefined();
  });

  it("ends with a process that is done", async () => {
    const children = [fakeChild(0), fakeChild(0), fakeChild(0)];
    const crashes: number[] = [];
    let runs = 0;
    let ended: () => void = () => undefined;
    const done = new Promise<void>((resolve) => (ended = resolve));
    const supervised = supervise({
      start: () => children.shift() ?? fakeChild(0, false),
      onCrash: (_, restartInMs) => crashes.push(restartInMs),
      isDone: () => (++runs === 2 ? (ended(), true) : false),
      clock: fakeClock(),
    });
    await done;
    await supervised.stop(0);
    expect([children.length, crashes.length, supervised.pid()]).toEqual([1, 1, undefined]);
  });

  it("treats a start that fails as a crash", async () => {
    const clock = fakeClock();
    const steady = fakeChild(0, false);
    let failed = false;
    const seen = new Promise<ChildExit>((resolve) => {
      const supervised = supervise({
        start: () => {
          if (failed) return steady;
          failed = true;
          throw new Error("no such file");
        },
        onStart: () => void supervised.stop(0),
        onCrash: (exit) => resolve(exit),
        clock,
      });
    });
    expect(await seen).toMatchObject({ error: "no such file" });
  });
});
