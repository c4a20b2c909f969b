import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModule } from "../../test/fakes/tiny-module.ts";
import { createProcessChecker } from "./process-checker.ts";

const directory = mkdtempSync(join(tmpdir(), "scrim-check-"));
const script = join(directory, "check-plugin.mjs");
const settings = { configuration: "{}", rootId: "", environment: {}, hostEnvironment: [] };

const moduleOf = (bytes: Uint8Array) => ({ sha256: "digest", bytes });

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("check-plugin.ts", import.meta.url))],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A module that takes its configuration where WASI's environ_sizes_get tells of this many variables. */
const countingModule = (variables: number) =>
  configuredBy(
    "const out = heap.alloc(8); return sizes(out, out + 4) == 0 && load<u32>(out) == COUNT ? 1 : 0;".replace(
      "COUNT",
      String(variables),
    ),
  );

/** A module that does this when it is configured. */
async function configuredBy(body: string): Promise<Uint8Array> {
  const source = `
@external("wasi_snapshot_preview1", "environ_sizes_get") declare function sizes(count: usize, bytes: usize): i32;
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_vm_start(id: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(id: u32, size: u32): u32 { ${body} }`;
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(["m.ts", "--runtime", "stub", "--outFile", "m.wasm", "--use", "abort="], {
    readFile: (file) => (file === "m.ts" ? source : null),
    writeFile: (file, data) => void (files[file] = data as Uint8Array),
    listFiles: () => [],
  });
  if (error !== null) throw new Error(stderr.toString());
  return files["m.wasm"] ?? new Uint8Array();
}

function isRunning(pid: number): boolean {
  try {
    // One that ended and that nobody waited for is there, and does not run.
    return process.kill(pid, 0) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

describe("checking a module in a child process", () => {
  it("lets a module through that starts", async () => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule("accept")), settings)).toEqual({
      kind: "good",
      warnings: [],
    });
  });

  it.each(["refuse", "trap"] as const)("finds a module bad that does %s its configuration", async (behaviour) => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule(behaviour)), settings)).toMatchObject({
      kind: "bad",
    });
  });

  it("finds bytes bad that are no module", async () => {
    expect(
      await createProcessChecker({ script }).check(moduleOf(Buffer.from("<html>not found</html>")), settings),
    ).toMatchObject({ kind: "bad" });
  });

  it("hands the configuration over", async () => {
    const checker = createProcessChecker({ script });
    expect(await checker.check(moduleOf(tinyModule("accept-if-configured")), settings)).toEqual({
      kind: "good",
      warnings: [],
    });
    expect(
      await checker.check(moduleOf(tinyModule("accept-if-configured")), { ...settings, configuration: "" }),
    ).toMatchObject({ kind: "bad" });
  });

  it("gives it the variables that its WasmPlugin names, and those of the proxy empty", async () => {
    const checker = createProcessChecker({ script });
    const named = { ...settings, environment: { A: "x" }, hostEnvironment: ["B"] };
    expect(await checker.check(moduleOf(await countingModule(2)), named)).toEqual({ kind: "good", warnings: [] });
    expect(await checker.check(moduleOf(await countingModule(2)), settings)).toMatchObject({ kind: "bad" });
  });

  describe("with the schema of its manifest", () => {
    const check = (configSchema: Record<string, unknown>, configuration = '{"level": 3}', timeoutMs = 60_000) =>
      createProcessChecker({ script, timeoutMs }).check(
        moduleOf(tinyModule("accept")),
        { ...settings, configuration },
        configSchema,
      );
    /** Of a few hundred bytes, and 2 to the power of 60 steps. */
    const endless = {
      $ref: "#/$defs/d0",
      $defs: Object.fromEntries(
        Array.from({ length: 61 }, (_, i) => [
          `d${i}`,
          i === 60 ? {} : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
        ]),
      ),
    };

    it("lets a configuration through that fits", async () => {
      expect(await check({ properties: { level: { type: "integer" } } })).toEqual({ kind: "good", warnings: [] });
    });

    it("says where one does not", async () => {
      expect(await check({ properties: { level: { maximum: 2 } } })).toEqual({
        kind: "bad",
        field: "spec.pluginConfig.level",
        reason: "must be <= 2, as its module's manifest says by configSchema",
      });
    });

    it("warns of a schema that cannot be applied: the module has the last word", async () => {
      expect(await check({ $ref: "https://example.com/x" })).toMatchObject({
        kind: "good",
        warnings: [expect.stringContaining("its manifest's configSchema cannot be applied: can't resolve reference")],
      });
    });

    it("is not held up by one that takes forever", async () => {
      expect(await check(endless, '{"level": 3}', 2_500)).toEqual({
        kind: "bad",
        reason: "its manifest's configSchema could not be applied within 2.5 s",
      });
    });
  });

  it("ends a module that never returns when its budget is used up", async () => {
    expect(await createProcessChecker({ script }).check(moduleOf(tinyModule("hang")), settings)).toMatchObject({
      kind: "bad",
      reason: expect.stringContaining("unreachable") as string,
    });
  });

  it("ends one that may take as long as it likes when the time is over", async () => {
    const unlimited = { ...settings, budget: { turns: Number.MAX_SAFE_INTEGER, memoryPages: 1_024 } };
    expect(
      await createProcessChecker({ script, timeoutMs: 1_500 }).check(moduleOf(tinyModule("hang")), unlimited),
    ).toEqual({ kind: "bad", reason: "the module did not start within 1.5 s" });
  });

  it("ends one that eats memory beyond the cap", async () => {
    const eating = moduleOf(
      await configuredBy(
        "memory.grow(6_000); memory.fill(100_000, 1, 380_000_000); " +
          "while (size != 0xffff_ffff) size += load<u8>(0); return 1;",
      ),
    );
    const large = { ...settings, budget: { turns: Number.MAX_SAFE_INTEGER, memoryPages: 8_192 } };
    expect(await createProcessChecker({ script, maxMemoryBytes: 256 * 1_024 * 1_024 }).check(eating, large)).toEqual({
      kind: "bad",
      reason: "the module took more than 256 MiB of memory while it started",
    });
  });

  it("ends with whoever asked for it, however that ended", async () => {
    const request = JSON.stringify({ settings });
    writeFileSync(join(directory, "hang.input"), Buffer.concat([Buffer.from(`${request}\n`), tinyModule("hang")]));
    const asking = `const { spawn } = require("node:child_process");
      const input = require("node:fs").openSync(${JSON.stringify(join(directory, "hang.input"))});
      const child = spawn(process.execPath, [${JSON.stringify(script)}], { stdio: [input, "pipe", "ignore"] });
      child.stdout.once("data", () => console.log(child.pid)); setInterval(() => 0, 1000);`;
    const parent = spawn(process.execPath, ["-e", asking], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(
      await new Promise<string>((resolve) => parent.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()))),
    );
    expect(isRunning(pid)).toBe(true);
    parent.kill("SIGKILL");
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it("does not blame the module when the check cannot run", async () => {
    expect(
      await createProcessChecker({ script: join(directory, "missing.mjs") }).check(
        moduleOf(tinyModule("accept")),
        settings,
      ),
    ).toMatchObject({ kind: "failed" });
  });
});
