import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { replaceFile } from "./replace-file.ts";

describe("replaceFile", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "scrim-disk-"))));
  afterEach(() => {
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  });

  it("makes the directory, and a file for its owner alone", async () => {
    const path = join(directory, "a/b/state.json");
    await replaceFile(path, "one");
    await replaceFile(path, "two");
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777, readdirSync(join(directory, "a/b"))]).toEqual([
      "two",
      0o600,
      ["state.json"],
    ]);
  });
  it("is seen whole by whoever reads while many write", async () => {
    const path = join(directory, "state");
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
    await replaceFile(path, texts[0] ?? "");
    const writing = Promise.all(texts.map((text) => replaceFile(path, text)));
    for (let i = 0; i < 50; i++) {
      expect(texts).toContain(readFileSync(path, "utf8"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(readdirSync(directory)).toEqual(["state"]);
  });
  it("leaves the old file when the new one cannot be written", async () => {
    const path = join(directory, "state");
    await replaceFile(path, "old");
    await expect(replaceFile(join(path, "below"), "new")).rejects.toThrow();
    expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["old", ["state"]]);
  });
});
