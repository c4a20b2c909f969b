import { compileFilter } from "../compile.mjs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The module of filters/sdk/testing/<name>; throws with the compiler's messages. */
export async function buildFixture(name: string, memory: "fast" | "convenient" = "fast"): Promise<Uint8Array> {
  const result = await compileFilter({ entry: `filters/sdk/testing/${name}/index.ts`, baseDir: ROOT, memory });
  if (!result.ok) throw new Error(result.errors);
  return result.binary;
}

/** The module of sources in memory (`index.ts`, `filter.ts`, …). */
export async function buildSources(sources: Readonly<Record<string, string>>): Promise<{ ok: true; binary: Uint8Array } | { ok: false; errors: string }> {
  const inMemory = Object.fromEntries(Object.entries(sources).map(([name, text]) => [`filters/in-memory/${name}`, text]));
  return compileFilter({ entry: "filters/in-memory/index.ts", baseDir: ROOT, sources: inMemory });
}
