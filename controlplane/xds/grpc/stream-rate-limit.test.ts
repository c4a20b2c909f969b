import { describe, expect, it } from "vitest";
import { createStreamRateLimit } from "./stream-rate-limit.ts";

describe("the rate of new streams", () => {
  /** What began, in order, and the time at which it did; `goOn` lets so much time pass. */
  function setUp(perSecond: number, burst: number) {
    let now = 1_000;
    let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
    const began: string[] = [];
    const letIn = createStreamRateLimit({
      perSecond,
      burst,
      nowMs: () => now,
      setTimer: (callback, ms) => void timers.push({ atMs: now + ms, callback }),
    });
    const come = (from: string, isGone = () => false): void =>
      letIn({ from, isGone, begin: () => void began.push(`${from} ${now - 1_000}`) });
    const goOn = (ms: number): void => {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.atMs);
        next.callback();
      }
      now = end;
    };
    return { come, goOn, began };
  }

  it("lets a burst in at once and spaces the others evenly", () => {
    const { come, goOn, began } = setUp(10, 3);
    for (const from of ["a", "b", "c", "d", "e"]) come(from);
    expect(began).toEqual(["a 0", "b 0", "c 0"]);
    goOn(1_000);
    expect(began.slice(3)).toEqual(["d 100", "e 200"]);
    for (const from of ["f", "g", "h", "i"]) come(from);
    expect(began.slice(5)).toEqual(["f 1000", "g 1000", "h 1000"]);
  });

  it("lets who comes once in before who comes a thousand times", () => {
    const { come, goOn, began } = setUp(10, 1);
    for (let index = 0; index < 1_000; index++) come("many");
    come("once");
    goOn(250);
    expect(began).toEqual(["many 0", "many 100", "once 200"]);
  });

  it("gives no turn to who has left", () => {
    const { come, goOn, began } = setUp(10, 1);
    for (let index = 0; index < 1_000; index++) come(`gone ${index}`, () => index > 0);
    come("here");
    goOn(150);
    expect(began).toEqual(["gone 0 0", "here 100"]);
  });
});
