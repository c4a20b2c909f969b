// Reading a mesh once, without watching: for `scrim translate` and tests.
import { stat } from "node:fs/promises";
import type { SourceUnit } from "../model/document.ts";
import { compareText } from "../model/object.ts";
import { fileOrigin } from "../model/origin.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { readStable } from "../source/files/read-stable.ts";
import { scanDirectory } from "../source/files/scan.ts";
import type { StoreViolation } from "./objects-in-force.ts";
import { createStore } from "./store.ts";
import type { World } from "../world/world.ts";

/** A mesh read once. */
export interface Loaded {
  readonly world: World;
  readonly violations: readonly StoreViolation[];
}

/**
 * Returns the mesh that files and directories (recursively) hold. What cannot be read is a violation; never rejects for
 * it.
 */
export async function loadFiles(
  paths: readonly string[],
  options: { readonly strict?: boolean } = {},
): Promise<Loaded> {
  const units: SourceUnit[] = [];
  for (const path of await expand(paths)) {
    const read = await readStable(path);
    const parsed = read.kind === "read" ? parseFile(read.text, path) : undefined;
    const message = read.kind === "failed" ? read.message : "cannot be read";
    const { documents = [], problems = [{ origin: fileOrigin(path), message }] } = parsed ?? {};
    units.push({ id: path, documents, problems, settled: true });
  }
  return load(units, options);
}

/** Returns the mesh that one YAML text holds. */
export function loadText(text: string, options: { readonly strict?: boolean; readonly file?: string } = {}): Loaded {
  const { file = "input.yaml" } = options;
  const { documents, problems } = parseFile(text, file);
  return load([{ id: file, documents, problems, settled: true }], options);
}

function load(units: readonly SourceUnit[], { strict = false }: { readonly strict?: boolean }): Loaded {
  const store = createStore({ strict });
  store.apply({ source: "load", units, notices: [] });
  return { world: store.world(), violations: store.violations() };
}

async function expand(paths: readonly string[]): Promise<readonly string[]> {
  const files = new Set<string>();
  for (const path of paths) {
    const isDirectory = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isDirectory) files.add(path);
    else for (const file of (await scanDirectory(path)).files.keys()) files.add(file);
  }
  return [...files].sort(compareText);
}
