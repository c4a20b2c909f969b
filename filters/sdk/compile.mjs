// Compiles a filter as the SDK needs it: pinned options, and a check that what the filter implements is what it exports.
// Plain JavaScript, because it runs before anything is built.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { exportsCheck } from "./exports-check.mjs";

const RUNTIMES = { fast: "minimal", convenient: "incremental" };

function options(entry, memory) {
  return [
    entry,
    "--outFile", "module.wasm",
    "--config", "no-asconfig",
    "--optimizeLevel", "3",
    "--shrinkLevel", "0",
    "--runtime", RUNTIMES[memory],
    "--exportStart", "_initialize",
    "--use", "abort=~lib/as-proxy-wasm-sdk/abi/abort/abort",
  ];
}

/** Compiles the filter whose entry file is `entry`. Never throws for a mistake in the filter: `{ ok: false, errors }`. */
export async function compileFilter({ entry, baseDir = process.cwd(), sources = {}, memory = "fast" }) {
  const { default: asc } = await import("assemblyscript/asc");
  const inputs = new Map();
  let binary;
  const stderr = asc.createMemoryStream();
  const result = await asc.main(options(entry, memory), {
    stdout: asc.createMemoryStream(),
    stderr,
    transforms: [exportsCheck],
    listFiles: () => [],
    writeFile: (_name, content) => void (binary = content),
    readFile: async (name) => {
      const content = sources[name] ?? (await readFile(resolve(baseDir, name), "utf8").catch(() => null));
      if (content !== null) inputs.set(name, content);
      return content;
    },
  });
  if (result.error || binary === undefined) return { ok: false, errors: `${stderr.toString()}${result.error?.message ?? "nothing was written"}` };
  return { ok: true, binary, inputs };
}
