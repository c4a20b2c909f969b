import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layered, layersOf } from "./layered-map.ts";

const sortedMap = fc
  .dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f"), fc.integer())
  .map((entries) => new Map(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))));

describe("a map of two layers", () => {
  it("is what one map of both would be, in the order of keys", () => {
    fc.assert(
      fc.property(sortedMap, sortedMap, (shared, own) => {
        const plain = new Map([...new Map([...shared, ...own])].sort(([a], [b]) => (a < b ? -1 : 1)));
        const map = layered(shared, own);
        expect([...map]).toEqual([...plain]);
        expect([[...map.keys()], [...map.values()], map.size]).toEqual([
          [...plain.keys()],
          [...plain.values()],
          plain.size,
        ]);
        for (const key of "abcdefg") expect([map.has(key), map.get(key)]).toEqual([plain.has(key), plain.get(key)]);
      }),
    );
  });

  it("is the same object for the same layers, and tells them", () => {
    const shared = new Map([["a", 1]]),
      own = new Map([["b", 2]]);
    expect(layered(shared, own)).toBe(layered(shared, own));
    expect(layersOf(layered(shared, own))).toMatchObject({ shared, own });
    expect(layersOf(shared)).toBeUndefined();
  });
});
