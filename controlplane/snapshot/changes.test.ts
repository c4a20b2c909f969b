import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layered } from "../world/layered-map.ts";
import { changesBetween, fingerprintOf } from "./changes.ts";
import type { EncodedMap, EncodedResource } from "./encode.ts";

const resource = (name: string, version: string): EncodedResource => ({
  kind: "clusters",
  name,
  version,
  bytes: new Uint8Array(),
  references: [],
});
const layer = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2")).map(
  (versions): EncodedMap =>
    new Map(
      Object.entries(versions)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, version]) => [name, resource(name, version)]),
    ),
);
const layers = fc.array(layer, { minLength: 4, maxLength: 4 });

const differing = (before: EncodedMap, after: EncodedMap): string[] =>
  ["a", "b", "c", "d"].filter((name) => before.get(name)?.version !== after.get(name)?.version);

describe("what differs between two maps", () => {
  it("is every name whose content is not the same, whatever the layers", () => {
    fc.assert(
      fc.property(layers, ([one, two, three, four]) => {
        for (const [before, after] of [
          [one!, two!],
          [layered(one!, two!), layered(three!, four!)],
          [layered(one!, two!), layered(one!, four!)],
          [layered(one!, two!), three!],
          [new Map(), layered(one!, two!)],
          [three!, layered(one!, two!)],
        ] as const) {
          expect([...changesBetween(before, after)].sort()).toEqual(differing(before, after));
        }
      }),
    );
  });

  it("is told again without comparing", () => {
    const before = new Map([["a", resource("a", "1")]]),
      after = new Map([["a", resource("a", "2")]]);
    expect(changesBetween(before, after)).toEqual(["a"]);
    expect(changesBetween(before, after)).toBe(changesBetween(before, after));
    expect(changesBetween(before, before)).toEqual([]);
  });

  it("has a fingerprint that is equal for equal layers, and another for another name or version", () => {
    const shared = new Map([["a", resource("a", "1")]]),
      own = new Map([["b", resource("b", "1")]]);
    const again = layered(new Map(shared), new Map(own));
    expect(fingerprintOf(again)).toBe(fingerprintOf(layered(shared, own)));
    const others = [
      layered(new Map([["a", resource("a", "2")]]), own),
      layered(shared, new Map([["c", resource("c", "1")]])),
      shared,
    ];
    expect(new Set([again, ...others].map(fingerprintOf)).size).toBe(4);
  });
});
