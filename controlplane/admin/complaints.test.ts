import { describe, expect, it } from "vitest";
import { fileOrigin, type Origin } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import { createComplaints } from "./complaints.ts";
import { reportOf } from "./violation-report.ts";

const violation = (origin: Origin, over: Partial<StoreViolation> = {}): StoreViolation => ({
  severity: "error",
  origin,
  object: "VirtualService/shop/reviews",
  field: "spec.hosts",
  message: "is required",
  servingLastGood: true,
  ...over,
});
const inCluster = (resourceVersion: string, uid = "u-1"): Origin => ({
  kind: "kubernetes",
  object: "VirtualService/shop/reviews",
  uid,
  resourceVersion,
});

/** Returns what was said after each state of things. */
function saidOf(...states: readonly (readonly StoreViolation[])[]): readonly (readonly string[])[] {
  let said: string[] = [];
  const complaints = createComplaints((line) => said.push(line));
  return states.map((problems) => {
    said = [];
    complaints(problems);
    return said;
  });
}

describe("complaints", () => {
  it("are one line each, with the place, and whether the last good version is in force", () => {
    const at = fileOrigin("mesh/a.yaml", 3, 5);
    const warning = violation(at, { severity: "warning", message: "is deprecated" });
    expect(saidOf([violation(at), violation(at, { servingLastGood: false, field: "spec" }), warning])).toEqual([
      [
        "mesh/a.yaml:3:5: error: VirtualService/shop/reviews spec.hosts: " +
          "is required (the last good version stays in force)",
        "mesh/a.yaml:3:5: error: VirtualService/shop/reviews spec: is required",
        "mesh/a.yaml:3:5: warning: VirtualService/shop/reviews spec.hosts: is deprecated",
      ],
    ]);
    expect(saidOf([violation(inCluster("17"))])).toEqual([
      [
        "VirtualService/shop/reviews (resourceVersion 17): error: spec.hosts: " +
          "is required (the last good version stays in force)",
      ],
    ]);
  });

  it("say loudest what is not enforced that protects", () => {
    const at = fileOrigin("mesh/a.yaml", 3, 5);
    expect(saidOf([violation(at, { protection: "not enforced" })])[0]?.[0]).toMatch(
      /\(the last good version stays in force\) -- SECURITY: what it says is NOT ENFORCED$/,
    );
    expect(saidOf([violation(at, { servingLastGood: false, protection: "traffic refused" })])[0]?.[0]).toMatch(
      /is required -- SECURITY: it cannot be enforced, so its host is NOT REACHED until it is mended$/,
    );
  });

  it.each([
    ["a file", fileOrigin("a.yaml", 3), fileOrigin("a.yaml", 9), fileOrigin("b.yaml", 3)],
    ["a cluster", inCluster("17"), inCluster("18"), inCluster("19", "u-2")],
  ])(
    "of %s are said again when they went and came back, or stand elsewhere, not when they moved",
    (_, first, moved, other) => {
      const said = saidOf([violation(first)], [violation(moved)], [], [violation(moved)], [violation(other)]);
      expect(said.map((lines) => lines.length)).toEqual([1, 0, 1, 1, 2]);
      expect(said[2]).toEqual([expect.stringContaining("VirtualService/shop/reviews: nothing is wrong any more")]);
    },
  );
});

describe("a violation's report", () => {
  it("has the place of a file in it, in the order of the violation's fields", () => {
    expect(JSON.stringify(reportOf(violation(fileOrigin("a.yaml", 3, 5))))).toBe(
      '{"severity":"error","file":"a.yaml","line":3,"column":5,"object":"VirtualService/shop/reviews",' +
        '"field":"spec.hosts","message":"is required","servingLastGood":true}',
    );
  });
  it("has the version of a cluster's object in it", () => {
    const report = reportOf(violation(inCluster("17")));
    expect(report).toEqual(violation(inCluster("17")));
    expect(report).not.toHaveProperty("file");
  });
});
