import { describe, expect, it } from "vitest";
import { buildHeaderFields } from "./header-options.ts";

describe("header changes", () => {
  it("replace what is set, append what is added", () => {
    expect(buildHeaderFields([{ set: [["a", "1"]], add: [["b", "2"]], remove: ["c"] }], [])).toEqual({
      requestHeadersToAdd: [
        { header: { key: "a", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "b", value: "2" }, appendAction: "APPEND_IF_EXISTS_OR_ADD" },
      ],
      requestHeadersToRemove: ["c"],
    });
  });
});
