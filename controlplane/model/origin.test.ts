import { describe, expect, it } from "vitest";
import {
  baseFolderOf,
  compareOrigins,
  describeOrigin,
  fileOrigin,
  haveSameOrigin,
  type KubernetesOrigin,
  unitOf,
} from "./origin.ts";

const inCluster = (over: Partial<KubernetesOrigin> = {}): KubernetesOrigin => ({
  kind: "kubernetes",
  object: "VirtualService/shop/reviews",
  uid: "u-1",
  resourceVersion: "17",
  ...over,
});

describe("an origin", () => {
  it("is told to people as they look for it", () => {
    expect(describeOrigin(fileOrigin("mesh/a.yaml", 3, 5))).toBe("mesh/a.yaml:3:5");
    expect(describeOrigin(fileOrigin("mesh/a.yaml", 3, 5), "line")).toBe("mesh/a.yaml:3");
    for (const precision of ["column", "line"] as const)
      expect(describeOrigin(inCluster(), precision)).toBe("VirtualService/shop/reviews (resourceVersion 17)");
  });

  it("has a folder for relative paths only in a file", () => {
    expect(baseFolderOf(fileOrigin("/mesh/deep/a.yaml", 9))).toBe("/mesh/deep");
    expect(baseFolderOf(fileOrigin("a.yaml"))).toBe(process.cwd());
    expect(baseFolderOf(inCluster())).toBeUndefined();
  });

  it("is of one unit wherever it stands in the file, and whatever version of the object it is", () => {
    expect(unitOf(fileOrigin("a.yaml", 9))).toBe(unitOf(fileOrigin("a.yaml")));
    expect(unitOf(inCluster({ resourceVersion: "18" }))).toBe(unitOf(inCluster()));
    expect(unitOf(inCluster({ uid: "u-2" }))).not.toBe(unitOf(inCluster()));
  });

  it("is in order: files by path, line and column, then objects by name and version", () => {
    const ordered = [
      fileOrigin("a.yaml", 2, 9),
      fileOrigin("a.yaml", 10, 1),
      fileOrigin("b.yaml"),
      inCluster({ object: "Gateway/shop/z" }),
      inCluster(),
      inCluster({ resourceVersion: "18" }),
      inCluster({ uid: "u-2" }),
    ];
    expect(ordered.toReversed().sort(compareOrigins)).toEqual(ordered);
    for (const [index, one] of ordered.entries())
      expect(ordered.map((other) => haveSameOrigin(one, other)).indexOf(true)).toBe(index);
    expect(haveSameOrigin(inCluster(), inCluster())).toBe(true);
  });
});
