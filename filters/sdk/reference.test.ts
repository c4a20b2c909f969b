import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sdkReference } from "./testing/reference.ts";

const FILE = new URL("REFERENCE.md", import.meta.url);

describe("the SDK's reference", () => {
  const { markdown, undocumented } = sdkReference();
  if (process.env["UPDATE_REFERENCE"] === "1") writeFileSync(FILE, markdown);

  it("says something of every public symbol", () => expect(undocumented).toEqual([]));
  it("is what the sources say", () => expect(readFileSync(FILE, "utf8")).toBe(markdown));
});
