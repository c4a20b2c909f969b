import { describe, expect, it } from "vitest";
import { parseDurationMs } from "./duration.ts";

describe("parseDurationMs", () => {
  it.each([
    ["2s", 2_000],
    ["0.5s", 500],
    ["0s", 0],
    ["0", 0],
    ["1m30s", 90_000],
    ["250ms", 250],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    ["100us", 0.1],
    ["0.000001s", 0.001],
  ])("reads %s", (text, ms) => {
    expect(parseDurationMs(text)).toBeCloseTo(ms, 9);
  });
  it.each([
    "",
    "2",
    "s",
    "-1s",
    "1 s",
    "2S",
    "1d",
    "1s2",
    "1e3s",
    ".5s",
    "NaNs",
    "999999999999999s",
    `${"1".repeat(100)}s`,
    "1s\n",
  ])("refuses %j", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});
