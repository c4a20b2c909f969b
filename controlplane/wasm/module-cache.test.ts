import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createModuleCache, digestOf, type ModuleCache } from "./module-cache.ts";

let directory: string;
let nowMs: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "scrim-cache-"));
  nowMs = 1_000_000;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const bytesOf = (name: string) => Buffer.from(name.repeat(100).slice(0, 100));
const cache = (inUse: readonly string[] = []): ModuleCache =>
  createModuleCache({
    directory,
    maxBytes: 250,
    nowMs: () => nowMs,
    inUse: () => new Set(inUse.map((name) => digestOf(bytesOf(name)))),
  });
const file = (name: string) => join(directory, "modules", `${digestOf(bytesOf(name))}.wasm`);

/** Keeps a module as of now, and lets a minute pass. */
async function keep(into: ModuleCache, name: string): Promise<void> {
  await into.keep([name], { module: { sha256: digestOf(bytesOf(name)), bytes: bytesOf(name) }, signatures: [] });
  utimesSync(file(name), nowMs / 1_000, nowMs / 1_000);
  nowMs += 60_000;
}

async function kept(from: ModuleCache, ...names: readonly string[]): Promise<readonly boolean[]> {
  const found: boolean[] = [];
  for (const name of names) found.push((await from.read(name))?.module.sha256 === digestOf(bytesOf(name)));
  return found;
}

describe("the cache of modules", () => {
  it("holds over restarts", async () => {
    await keep(cache(), "a");
    expect(await kept(cache(), "a", "b")).toEqual([true, false]);
  });

  it("lets go of what was unused for longest, not of what was read since", async () => {
    const modules = cache();
    await keep(modules, "a");
    await keep(modules, "b");
    await modules.read("a");
    await keep(modules, "c");
    expect(await kept(modules, "a", "b", "c")).toEqual([true, false, true]);
  });

  it("never lets go of what is in use, however much there is", async () => {
    const modules = cache(["a", "b", "c"]);
    for (const name of ["a", "b", "c", "d"]) await keep(modules, name);
    expect(await kept(modules, "a", "b", "c", "d")).toEqual([true, true, true, true]);
    await keep(modules, "e");
    expect(await kept(modules, "a", "b", "c", "d", "e")).toEqual([true, true, true, false, true]);
  });

  it("gives nothing for bytes that are not what they were, or for notes it cannot read", async () => {
    const modules = cache();
    await keep(modules, "a");
    writeFileSync(file("a"), "other");
    expect(await modules.read("a")).toBeUndefined();
    for (const name of readdirSync(join(directory, "index"))) writeFileSync(join(directory, "index", name), "{");
    expect(await modules.read("a")).toBeUndefined();
  });

  it("costs only a fetch where it cannot be written", async () => {
    writeFileSync(join(directory, "modules"), "in the way");
    const modules = createModuleCache({ directory: join(directory, "modules"), nowMs: () => nowMs });
    await modules.keep(["a"], { module: { sha256: digestOf(bytesOf("a")), bytes: bytesOf("a") }, signatures: [] });
    expect(await modules.read("a")).toBeUndefined();
  });
});
