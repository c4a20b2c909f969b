import { describe, expect, it } from "vitest";
import { readFetchOptions } from "./fetch-options.ts";

describe("where plugins may come from", () => {
  it("is this machine too when the mesh runs on it", () => {
    expect(
      readFetchOptions(
        { allowFetchFrom: ["10.0.0.0/8", "192.168.0.7"], plainRegistry: ["registry.internal:5000"] },
        true,
      ),
    ).toEqual({
      kind: "settings",
      settings: {
        allowFetchFrom: ["10.0.0.0/8", "192.168.0.7/32", "127.0.0.0/8", "::1/128"],
        plainRegistries: ["registry.internal:5000"],
      },
    });
    expect(readFetchOptions({}, false)).toEqual({
      kind: "settings",
      settings: { allowFetchFrom: [], plainRegistries: [] },
    });
  });
  it.each([
    [{ allowFetchFrom: ["home"] }, "--allow-fetch-from home"],
    [{ allowFetchFrom: ["10.0.0.0/99"] }, "10.0.0.0/99"],
    [{ plainRegistry: ["http://a.io"] }, "--plain-registry http://a.io"],
  ])("is not %j", (options, part) => {
    expect(readFetchOptions(options, false)).toMatchObject({ kind: "failed", message: expect.stringContaining(part) });
  });
});
