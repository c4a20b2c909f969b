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

  it.each([
    ["100%", "100%%"],
    ["100%%", "100%%"],
    ["%", "%%"],
    ["a%b%c", "a%%b%%c"],
    ["", ""],
    ["%DOWNSTREAM_REMOTE_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS%"],
    ["%REQ(x-y):3%", "%REQ(x-y):3%"],
    ["5% of %PROTOCOL%", "5%% of %PROTOCOL%"],
  ])("keep %j meaning what it says: %j", (value, written) => {
    expect(
      buildHeaderFields([{ set: [["a", value]], add: [], remove: [] }], []).requestHeadersToAdd?.[0]?.header?.value,
    ).toBe(written);
  });
});
