import { describe, expect, it } from "vitest";
import { type Condition, conditionsOf, type ObjectReach } from "./conditions.ts";

const reach = (more: Partial<ObjectReach> = {}): ObjectReach => ({
  ...{ concerned: 100, reached: 100, elsewhere: 0, waiting: undefined, held: undefined },
  ...more,
});
const judged = { errors: [], warnings: [], reach: reach() };
const shortly = (conditions: readonly Condition[]) =>
  conditions.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);

describe("an object's status", () => {
  it("says that it was accepted and has reached everybody", () => {
    expect(shortly(conditionsOf(judged))).toEqual([
      ...["Accepted=True Accepted: ", "Distributed=True Distributed: 100 of 100 proxies"],
    ]);
    expect(shortly(conditionsOf({ ...judged, reach: reach({ concerned: 0, reached: 0 }) }))).toContain(
      "Distributed=True ConcernsNobody: concerns no proxy",
    );
  });

  it("says what it does not know: who is at other control planes", () =>
    expect(shortly(conditionsOf({ ...judged, reach: reach({ elsewhere: 20 }) }))[1]).toBe(
      "Distributed=True Distributed: 100 of 100 proxies, 20 more at other control planes",
    ));

  it("says who has not got it, and why", () => {
    const waiting = "web-1.shop has not acknowledged rds";
    expect(shortly(conditionsOf({ ...judged, reach: reach({ reached: 97, waiting }) }))[1]).toBe(
      "Distributed=False Waiting: 97 of 100 proxies; web-1.shop has not acknowledged rds",
    );
    expect(shortly(conditionsOf({ ...judged, reach: reach({ held: "its module is being fetched" }) }))[1]).toBe(
      "Distributed=False Held: 100 of 100 proxies: its module is being fetched",
    );
  });

  it("says what is wrong with it, and what is served instead", () => {
    const errors = ["spec.hosts: is missing", "spec.http[0].route[0].weight: is -1"];
    expect(shortly(conditionsOf({ ...judged, errors }))).toEqual([
      `Accepted=False Invalid: ${errors.join("; ")}`,
      "Distributed=True Distributed: 100 of 100 proxies, of its last good version",
      "Rejected=True Invalid: its last good version is served instead",
    ]);
    expect(shortly(conditionsOf({ errors, warnings: [], reach: undefined }))).toEqual([
      `Accepted=False Invalid: ${errors.join("; ")}`,
      "Rejected=True Invalid: nothing of it is in force",
    ]);
  });

  it("has warnings in it, and is never endless", () => {
    const warnings = Array.from({ length: 7 }, (_, index) => `field ${index}: ${"x".repeat(500)}`);
    const [accepted] = conditionsOf({ ...judged, warnings });
    expect(accepted).toMatchObject({ status: "True", reason: "AcceptedWithWarnings" });
    expect(accepted?.message.length).toBe(2_000);
    expect(conditionsOf({ ...judged, warnings: warnings.map(() => "f: x") })[0]?.message).toContain("and 2 more");
  });
});
