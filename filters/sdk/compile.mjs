// Compiles a filter as the SDK needs it: pinned options, and a check that what the filter implements is what it
// exports. Plain JavaScript, because it runs before anything is built.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { exportsCheck } from "./exports-check.mjs";

const RUNTIMES = { fast: "minimal", convenient: "incremental" };

const PINNED = JSON.parse(readFileSync(new URL("asconfig.json", import.meta.url), "utf8")).options;

function options(entry, memory) {
  const pinned = Object.entries({ ...PINNED, runtime: RUNTIMES[memory] }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  return [entry, "--outFile", "module.wasm", "--config", "none", ...pinned];
}

const PROFILE = /^\/\/ memory: (\w+)$/m;

/** The memory profile that a filter's entry file asks for; undefined for one that there is not. */
function profileOf(text) {
  const asked = PROFILE.exec(text ?? "")?.[1] ?? "fast";
  return Object.hasOwn(RUNTIMES, asked) ? asked : undefined;
}

/**
 * Compiles the filter whose entry file is `entry`. Never throws for a mistake in the filter: `{ ok: false, errors }`.
 */
export async function compileFilter({ entry, baseDir = process.cwd(), sources = {}, memory }) {
  const { default: asc } = await import("assemblyscript/asc");
  const inputs = new Map();
  let binary;
  const stderr = asc.createMemoryStream();
  const read = (name) => sources[name] ?? readFile(resolve(baseDir, name), "utf8").catch(() => null);
  const profile = memory ?? profileOf(await read(entry));
  if (profile === undefined)
    return { ok: false, errors: `${entry}: expected "// memory: ${Object.keys(RUNTIMES).join('" or "// memory: ')}"` };
  const result = await asc.main(options(entry, profile), {
    stdout: asc.createMemoryStream(),
    stderr,
    transforms: [exportsCheck],
    listFiles: () => [],
    writeFile: (_name, content) => void (binary = content),
    readFile: async (name) => {
      const content = await read(name);
      if (content !== null) inputs.set(name, content);
      return content;
    },
  });
  if (result.error || binary === undefined)
    return { ok: false, errors: stderr.toString() || result.error?.message || "the compiler wrote nothing" };
  return { ok: true, binary, inputs };
}
