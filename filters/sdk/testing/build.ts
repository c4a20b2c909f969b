import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFilter } from "../compile.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const KEPT = join(ROOT, "build/fixtures");
// What a module depends on besides its sources.
const TOOLS = [
  "node_modules/assemblyscript/package.json",
  "filters/sdk/compile.mjs",
  "filters/sdk/exports-check.mjs",
  "filters/sdk/asconfig.json",
];

const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");
const hashOf = (file: string): string => sha256(readFileSync(join(ROOT, file)));

interface Kept {
  readonly module: string;
  readonly inputs: Readonly<Record<string, string>>;
}

/** The module kept from an earlier run, if every file it was made of is as it was then. */
function kept(file: string): Uint8Array | undefined {
  try {
    const module = readFileSync(`${file}.wasm`);
    const record = JSON.parse(readFileSync(`${file}.json`, "utf8")) as Kept;
    const isSame =
      record.module === sha256(module) &&
      Object.entries(record.inputs).every(([input, hash]) => hashOf(input) === hash);
    return isSame ? new Uint8Array(module) : undefined;
  } catch {
    return undefined; // none, or a file is gone
  }
}

function keep(file: string, module: Uint8Array, inputs: ReadonlyMap<string, string>): void {
  const record: Kept = {
    module: sha256(module),
    inputs: Object.fromEntries([
      ...[...inputs].map(([input, text]) => [input, sha256(text)]),
      ...TOOLS.map((tool) => [tool, hashOf(tool)]),
    ]),
  };
  mkdirSync(KEPT, { recursive: true });
  for (const [name, content] of [
    [`${file}.wasm`, module],
    [`${file}.json`, JSON.stringify(record)],
  ] as const) {
    writeFileSync(`${name}.${process.pid}`, content);
    renameSync(`${name}.${process.pid}`, name);
  }
}

/**
 * The module of filters/sdk/testing/<name>, compiled only when it is not as kept; throws with the compiler's messages.
 */
export async function buildFixture(name: string, memory: "fast" | "convenient" = "fast"): Promise<Uint8Array> {
  const file = join(KEPT, `${name}-${memory}`);
  const module = kept(file);
  if (module) return module;
  const result = await compileFilter({ entry: `filters/sdk/testing/${name}/index.ts`, baseDir: ROOT, memory });
  if (!result.ok) throw new Error(result.errors);
  keep(file, result.binary, result.inputs);
  return result.binary;
}

/** The module of sources in memory (`index.ts`, `filter.ts`, …). */
export async function buildSources(
  sources: Readonly<Record<string, string>>,
): Promise<{ ok: true; binary: Uint8Array } | { ok: false; errors: string }> {
  const inMemory = Object.fromEntries(
    Object.entries(sources).map(([name, text]) => [`filters/in-memory/${name}`, text]),
  );
  return compileFilter({ entry: "filters/in-memory/index.ts", baseDir: ROOT, sources: inMemory });
}
