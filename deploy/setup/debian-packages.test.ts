import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installTestPrograms, missingPackages } from "./debian-packages.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scrim-programs-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the programs that tests run", () => {
  it("are missed by their packages' names", async () => {
    const before = await missingPackages(folder);
    writeFileSync(join(folder, "redis-cli"), "");
    chmodSync(join(folder, "redis-cli"), 0o755);
    expect(await missingPackages(folder)).toEqual(before.filter((name) => name !== "redis-tools"));
  });

  it("are not installed where others work: what to install is told", async () => {
    const told: string[] = [];
    const context = { searchPath: folder, mayInstall: false, begin: () => told.push("began") };
    expect(await installTestPrograms({ ...context, report: (line) => told.push(line) })).toBe(false);
    const missing = await missingPackages(folder);
    expect(told).toEqual(
      missing.length === 0
        ? []
        : [`tests of programs that are not here are left out (apt-get install ${missing.join(" ")})`],
    );
  });
});
