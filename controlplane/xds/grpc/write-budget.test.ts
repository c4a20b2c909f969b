import { describe, expect, it } from "vitest";
import { createWriteBudget } from "./write-budget.ts";

describe("a write budget", () => {
  it("holds writers up while too much is under way, and lets on who waits longest first", () => {
    const budget = createWriteBudget(100);
    const seen: string[] = [];
    budget.take(60);
    expect(budget.hasRoom()).toBe(true);
    budget.take(60);
    expect(budget.hasRoom()).toBe(false);
    for (const name of ["a", "b", "c"])
      budget.whenRoom(() => {
        seen.push(name);
        budget.take(80);
      });
    budget.give(60);
    expect(seen).toEqual(["a"]);
    budget.give(60);
    expect(seen).toEqual(["a", "b"]);
  });

  it("lets a single writer send more than all of it", () => {
    const budget = createWriteBudget(100);
    budget.take(5_000);
    expect(budget.hasRoom()).toBe(false);
    budget.give(5_000);
    expect(budget.hasRoom()).toBe(true);
  });

  it("forgets who gave up", () => {
    const budget = createWriteBudget(1);
    budget.take(1);
    const giveUp = budget.whenRoom(() => expect.fail("it gave up"));
    giveUp();
    budget.give(1);
    expect(budget.hasRoom()).toBe(true);
  });
});
