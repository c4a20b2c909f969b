import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const SKIPPED = new Set(["node_modules", "build", ".scrim", ".git"]);

/**
 * Returns the sha256 (hex) over names and contents of all files under the given files and folders, leaving out built
 * ones and tests.
 */
export async function hashInputs(root, paths) {
  const hash = createHash("sha256");
  const files = (await Promise.all(paths.map((path) => listFiles(join(root, path))))).flat().sort();
  for (const file of files)
    hash
      .update(`${relative(root, file)}\0`)
      .update(await readFile(file))
      .update("\0");
  return hash.digest("hex");
}

async function listFiles(path) {
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOTDIR") return [path];
    if (error.code === "ENOENT") return [];
    throw error;
  }
  const nested = entries.map((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : listFiles(join(path, entry.name));
    return entry.isFile() && !/\.test\.ts$/.test(entry.name) ? [join(path, entry.name)] : [];
  });
  return (await Promise.all(nested)).flat();
}

/** Returns the text of a stamp file, or "" when there is none. */
export async function readStamp(path) {
  return readFile(path, "utf8").catch(() => "");
}

/** Writes a stamp atomically; call it after the outputs it vouches for are complete. */
export async function writeStamp(path, text) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
