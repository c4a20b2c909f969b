import { describe, expect, it } from "vitest";
import { labelsMatch, selectsAll } from "./labels.ts";

describe("labelsMatch", () => {
  it("wants every label of the selector", () => {
    expect(labelsMatch({ app: "a" }, { app: "a", version: "v1" })).toBe(true);
    expect(labelsMatch({ app: "a", version: "v2" }, { app: "a", version: "v1" })).toBe(false);
    expect(labelsMatch({ app: "a" }, {})).toBe(false);
  });
  it("selects everything without labels", () => {
    expect(labelsMatch(undefined, {})).toBe(true);
    expect(labelsMatch({}, { app: "a" })).toBe(true);
    expect(selectsAll({})).toBe(true);
    expect(selectsAll({ a: "" })).toBe(false);
  });
  it("is not fooled by names every object has", () => {
    expect(labelsMatch({ constructor: "x" }, {})).toBe(false);
    expect(labelsMatch({ toString: "" }, {})).toBe(false);
  });
});
