import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCulprits } from "./culprit-search.ts";

const isGood = (bad: readonly number[]) => (set: readonly number[]) =>
  Promise.resolve(!set.some((item) => bad.includes(item)));

describe("the search for a culprit", () => {
  it("finds all bad items, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(30), { maxLength: 20 }),
        fc.uniqueArray(fc.nat(30), { maxLength: 2 }),
        async (items, bad) => {
          expect(await findCulprits(items, isGood(bad))).toEqual(items.filter((item) => bad.includes(item)));
        },
      ),
    );
  });

  it.each([[0], [37], [99]])(
    "asks little: of a hundred items number %i is found with fifteen questions at most",
    async (bad) => {
      let questions = 0;
      const items = Array.from({ length: 100 }, (_, index) => index);
      const found = await findCulprits(items, (set) => {
        questions++;
        return isGood([bad])(set);
      });
      expect(found).toEqual([bad]);
      expect(questions).toBeLessThanOrEqual(15);
    },
  );

  it("finds in further searches what it had no questions left for", async () => {
    const all = Array.from({ length: 64 }, (_, index) => index);
    const bad = all.filter((item) => item % 3 === 0);
    let left: readonly number[] = all;
    let searches = 0;
    for (let found = await findCulprits(left, isGood(bad)); found.length > 0; searches++) {
      expect(found.every((item) => bad.includes(item))).toBe(true);
      left = left.filter((item) => !found.includes(item));
      found = await findCulprits(left, isGood(bad));
    }
    expect(left).toEqual(all.filter((item) => item % 3 !== 0));
    expect(searches).toBeGreaterThan(1);
  });

  it("accuses nobody if all are bad only together, nothing can be found out, or it would take too long", async () => {
    expect(await findCulprits([1, 2], (set) => Promise.resolve(set.length < 2))).toEqual([]);
    expect(await findCulprits([1, 2], () => Promise.resolve(undefined))).toEqual([]);
    const many = Array.from({ length: 64 }, (_, index) => index);
    expect((await findCulprits(many, () => Promise.resolve(false))).length).toBeLessThan(64);
  });
});
