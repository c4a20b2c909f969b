import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModule } from "../../test/fakes/tiny-module.ts";
import { createProcessChecker } from "./process-checker.ts";

const directory = mkdtempSync(join(tmpdir(), "scrim-check-"));
const script = join(directory, "check-plugin.mjs");
const settings = { configuration: "{}", rootId: "", environment: {}, hostEnvironment: [] };

const moduleOf = (bytes: Uint8Array) => ({ sha256: "digest", bytes });

beforeAll(async () => {
  await build({ entryPoints: [fileURLToPath(new URL("check-plugin.ts", import.meta.url))], outfile: script, bundle: true, platform: "node", format: "esm", logLevel: "error" });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("checking a module in a child process", () => {
  it("lets a module through that starts", async () => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule("accept")), settings)).toEqual({ kind: "good", warnings: [] });
  });

  it.each(["refuse", "trap"] as const)("finds a module bad that does %s its configuration", async (behaviour) => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule(behaviour)), settings)).toMatchObject({ kind: "bad" });
  });

  it("finds bytes bad that are no module", async () => {
    expect(await createProcessChecker({ script }).check(moduleOf(Buffer.from("<html>not found</html>")), settings)).toMatchObject({ kind: "bad" });
  });

  it("hands the configuration over", async () => {
    const checker = createProcessChecker({ script });
    expect(await checker.check(moduleOf(tinyModule("accept-if-configured")), settings)).toEqual({ kind: "good", warnings: [] });
    expect(await checker.check(moduleOf(tinyModule("accept-if-configured")), { ...settings, configuration: "" })).toMatchObject({ kind: "bad" });
  });

  it("ends a module that never returns when its budget is used up", async () => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule("hang")), settings)).toMatchObject({ kind: "bad", reason: expect.stringContaining("unreachable") as string });
  });

  it("ends one that may take as long as it likes when the time is over", async () => {
    const unlimited = { ...settings, budget: { turns: Number.MAX_SAFE_INTEGER, memoryPages: 1_024 } };
    expect(await createProcessChecker({ script, timeoutMs: 1_500 }).check(moduleOf(tinyModule("hang")), unlimited)).toEqual({ kind: "bad", reason: "the module did not start within 1.5 s" });
  });

  it("does not blame the module when the check cannot run", async () => {
    expect(await createProcessChecker({ script: join(directory, "missing.mjs") }).check(moduleOf(tinyModule("accept")), settings)).toMatchObject({ kind: "failed" });
  });
});
