import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFilter } from "../compile.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const KEPT = join(ROOT, "build/fixtures");
/** What every module depends on besides its sources. */
const COMPILER = "node_modules/assemblyscript/package.json";
const TOOLS = ["filters/sdk/compile.mjs", "filters/sdk/exports-check.mjs", "filters/sdk/asconfig.json"];

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

function keep(file: string, module: Uint8Array, inputs: Kept["inputs"]): void {
  const record: Kept = { module: sha256(module), inputs: { ...inputs, [COMPILER]: hashOf(COMPILER) } };
  mkdirSync(KEPT, { recursive: true });
  for (const [name, content] of [
    [`${file}.wasm`, module],
    [`${file}.json`, JSON.stringify(record)],
  ] as const) {
    writeFileSync(`${name}.${process.pid}`, content);
    renameSync(`${name}.${process.pid}`, name);
  }
}

/** A module, and the texts of the files below the repository's root that it was made of. */
export interface Built {
  readonly binary: Uint8Array;
  readonly inputs: ReadonlyMap<string, string>;
}

/** The module of this name as it is kept, or built if a file it was made of has changed. */
export async function keptModule(name: string, build: () => Promise<Built>): Promise<Uint8Array> {
  const file = join(KEPT, name);
  const module = kept(file);
  if (module) return module;
  const { binary, inputs } = await build();
  keep(file, binary, Object.fromEntries([...inputs].map(([input, text]) => [input, sha256(text)])));
  return binary;
}

/**
 * The module of filters/sdk/testing/<name>, compiled only when it is not as kept; throws with the compiler's messages.
 */
export function buildFixture(name: string, memory: "fast" | "convenient" = "fast"): Promise<Uint8Array> {
  return keptModule(`${name}-${memory}`, async () => {
    const result = await compileFilter({ entry: `filters/sdk/testing/${name}/index.ts`, baseDir: ROOT, memory });
    if (!result.ok) throw new Error(result.errors);
    const tools = TOOLS.map((tool): [string, string] => [tool, readFileSync(join(ROOT, tool), "utf8")]);
    return { binary: result.binary, inputs: new Map([...result.inputs, ...tools]) };
  });
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
