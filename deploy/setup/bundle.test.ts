import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundleWhenStale } from "./bundle.mjs";

let root = "";
const entries = [{ in: "app/main.ts", out: "main" }];
const options = { entries, outdir: "app/build" };
const bundles = (more: object = {}): Promise<boolean> =>
  bundleWhenStale({ root, begin: () => undefined }, { ...options, ...more });

/** Writes a source as if it had been there for a while. */
function write(file: string, text: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  utimesSync(path, 1_000_000, 1_000_000);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "scrim-bundle-"));
  write("package-lock.json", "{}");
  write("app/main.ts", 'import { middle } from "./middle.ts";\nconsole.log(middle);\n');
  write("app/middle.ts", 'export { deep as middle } from "../elsewhere/deep.ts";\n');
  write("elsewhere/deep.ts", 'export const deep = "first";\n');
  write("elsewhere/other.ts", "export const other = 1;\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("bundleWhenStale", () => {
  it("bundles once, and again when a file has changed that only an import of an import names", async () => {
    expect([await bundles(), await bundles()]).toEqual([true, false]);
    write("elsewhere/deep.ts", 'export const deep = "second";\n');
    expect([await bundles(), await bundles()]).toEqual([true, false]);
    expect(readFileSync(join(root, "app/build/main.mjs"), "utf8")).toContain('"second"');
  });

  it("lets be what no bundle was made from, in whichever folder", async () => {
    await bundles();
    write("elsewhere/other.ts", "export const other = 2;\n");
    write("app/new.ts", "export {};\n");
    expect(await bundles()).toBe(false);
  });

  it("bundles when packages, the list of inputs, a bundle or an entry is another or is gone", async () => {
    await bundles();
    write("package-lock.json", '{"packages": {}}');
    expect([await bundles(), await bundles()]).toEqual([true, false]);
    rmSync(join(root, "app/build/.inputs.json"));
    expect([await bundles(), await bundles()]).toEqual([true, false]);
    rmSync(join(root, "app/build/main.mjs"));
    expect([await bundles(), await bundles()]).toEqual([true, false]);
    const moved = { entries: [{ in: "elsewhere/other.ts", out: "main" }] };
    expect([await bundles(moved), await bundles(moved)]).toEqual([true, false]);
  });

  it("bundles once more when an input was edited while it bundled, and says what does not build", async () => {
    const edited = await bundleWhenStale(
      { root, begin: () => writeFileSync(join(root, "elsewhere/deep.ts"), 'export const deep = "edited";\n') },
      options,
    );
    expect([edited, await bundles()]).toEqual([true, true]);
    write("elsewhere/deep.ts", "export const deep = ;\n");
    await expect(bundles()).rejects.toThrow("elsewhere/deep.ts:1");
  });
});
