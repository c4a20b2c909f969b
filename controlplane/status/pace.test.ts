import { describe, expect, it } from "vitest";
import { type Condition, conditionsOf } from "./conditions.ts";
import { dueAtMs, type Status } from "./pace.ts";

const status = (reached: number, concerned = 100, errors: readonly string[] = [], generation = 1): Status => ({
  generation,
  conditions: conditionsOf({
    errors,
    warnings: [],
    reach: { concerned, reached, elsewhere: 0, waiting: undefined, held: undefined },
  }),
});
const written = (was: Status) => ({ ...was, writtenAtMs: 1_000 });

describe("a status is written", () => {
  it("never when it says what is written", () =>
    expect(dueAtMs(written(status(100)), status(100), 9_000)).toBeUndefined());

  it.each<[string, Status | undefined, Status]>([
    ["the first time", undefined, status(0)],
    ["for a new generation", status(100), status(100, 100, [], 2)],
    ["when something is wrong", status(100), status(100, 100, ["spec: is wrong"])],
    ["when it is right again", status(100, 100, ["spec: is wrong"]), status(100)],
    ["when it has reached everybody", status(97), status(100)],
  ])("at once %s", (_when, before, now) => expect(dueAtMs(before && written(before), now, 9_000)).toBe(9_000));

  it("every few seconds while it is on its way", () =>
    expect(dueAtMs(written(status(3)), status(50), 1_200)).toBe(6_000));

  it("after half a minute when proxies have it no more that had it", () =>
    expect(dueAtMs(written(status(100)), status(99), 9_000)).toBe(39_000));

  it("every five minutes when only the number of proxies is another", () =>
    expect(dueAtMs(written(status(100)), status(101, 101), 9_000)).toBe(301_000));

  it("at once when it is held back", () => {
    const held: Condition = { type: "Distributed", status: "False", reason: "Held", message: "0 of 1 proxy: fetched" };
    const was = status(100);
    const now = { ...was, conditions: was.conditions.map((one) => (one.type === "Distributed" ? held : one)) };
    expect(dueAtMs(written(was), now, 9_000)).toBe(9_000);
  });
});
