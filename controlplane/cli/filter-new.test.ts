import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHost } from "proxy-wasm-host";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compileFilter } from "../../filters/sdk/compile.mjs";
import { newFilter } from "./filter-new.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
let cwd: string;
let said: string;
const terminal = { out: (text: string) => void (said += text), err: () => undefined };

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "scrim-filter-new-"));
  said = "";
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

describe("scrim filter new", () => {
  it("writes a filter that builds and does what its test expects", async () => {
    newFilter("my-first-filter", { dir: "filters" }, cwd, terminal);
    const folder = join(cwd, "filters/my-first-filter");
    const names = readdirSync(folder).sort();
    expect(names).toEqual([
      "README.md",
      "config.schema.json",
      "example.json",
      "filter.ts",
      "index.ts",
      "my-first-filter.scenarios.ts",
      "my-first-filter.test.ts",
    ]);
    for (const name of names) expect(said).toContain(`filters/my-first-filter/${name}\n`);

    const text = (name: string): string => readFileSync(join(folder, name), "utf8");
    const sources = {
      "filters/my-first-filter/index.ts": text("index.ts"),
      "filters/my-first-filter/filter.ts": text("filter.ts"),
    };
    const built = await compileFilter({ entry: "filters/my-first-filter/index.ts", baseDir: ROOT, sources });
    if (!built.ok) throw new Error(built.errors);
    const host = createHost({ module: built.binary, configuration: text("example.json") });
    expect(host.run().responseHeaders?.get("x-hello")).toBe("world");
    expect(host.metrics.counter("my_first_filter_responses")).toBe(1);
    expect(text("my-first-filter.scenarios.ts")).toContain('const module = "my-first-filter"');
    expect(text("my-first-filter.test.ts")).toContain('entry: "filters/my-first-filter/index.ts"');
  });

  it("overwrites nothing", () => {
    newFilter("twice", { dir: "." }, cwd, terminal);
    expect(() => newFilter("twice", { dir: "." }, cwd, terminal)).toThrow(
      expect.objectContaining({ code: "failed", message: "twice exists; nothing was written." }),
    );
  });

  it.each(["Upper", "a_b", "-a", "a--b", "../x", "", "sdk"])("refuses the name %j", (name) => {
    expect(() => newFilter(name, { dir: "filters" }, cwd, terminal)).toThrow(
      expect.objectContaining({ code: "usage" }),
    );
    expect(readdirSync(cwd)).toEqual([]);
  });

  it("refuses a directory elsewhere", () => {
    expect(() => newFilter("x", { dir: "../elsewhere" }, cwd, terminal)).toThrow(/must lie below/);
  });
});
