// What deploy/ holds of generated files is what is generated. UPDATE_GOLDEN=1 rewrites them and drops stale ones.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { GENERATED_FOLDERS, generatedFiles } from "./generated-files.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const updating = process.env["UPDATE_GOLDEN"] === "1";
if (updating && process.env["CI"])
  throw new Error("UPDATE_GOLDEN is refused under CI: generated files are reviewed before they are committed");

const read = (path: string) => readFileSync(join(root, path), "utf8");

function standing(): readonly string[] {
  return GENERATED_FOLDERS.filter((folder) => existsSync(join(root, folder))).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  );
}

it("the generated files of deploy/ are up to date", () => {
  const files = generatedFiles();
  if (updating) {
    for (const path of standing()) if (!files.has(path)) rmSync(join(root, path));
    for (const [path, content] of files) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      if (!existsSync(join(root, path)) || read(path) !== content) writeFileSync(join(root, path), content);
    }
  }
  expect([...standing()].sort()).toEqual([...files.keys()].sort());
  for (const [path, content] of files) expect(read(path), path).toBe(content);
});
