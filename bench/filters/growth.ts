// consumes: the built filters, and the SDK's steady fixture in both memory profiles
// produces: how many bytes of linear memory each has more after very many requests
// never does: count the first requests, in which what is kept for good is made
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { out, root } from "../places.ts";
import type { Case, WasmPart } from "./cases.ts";
import { memoryGrowth } from "./guest.ts";

/** What one module's memory did. */
export interface Growth {
  readonly module: string;
  readonly requests: number;
  readonly bytes: number;
  readonly grown: number;
}

/** Returns the growth of every module of ours after so many requests each. */
export async function measureGrowth(cases: readonly Case[], requests: number): Promise<readonly Growth[]> {
  const ours = cases
    .filter(({ group, wasm }) => group === "scrim" && wasm.length === 1)
    .map(({ name, wasm }) => ({ module: name, part: wasm[0] as WasmPart }));
  const fixtures = await Promise.all(
    (["fast", "convenient"] as const).map(async (memory) => ({
      module: `SDK, ${memory} memory`,
      part: { path: await steady(memory), configuration: "" },
    })),
  );
  return [...ours, ...fixtures].map(({ module, part }) => ({ module, requests, ...memoryGrowth(part, requests) }));
}

/** Returns a line that says it. */
export function renderGrowth(growths: readonly Growth[]): string {
  const [first] = growths;
  if (first === undefined) return "";
  const grown = growths.filter((one) => one.grown > 0);
  const said =
    grown.length === 0
      ? "no byte of growth"
      : `GROWN: ${grown.map((one) => `${one.module} by ${one.grown} bytes`).join(", ")}`;
  const sizes = growths.map(({ module, bytes }) => `${module} ${bytes / 1024} KiB`).join(", ");
  return `linear memory after ${first.requests} requests (${sizes}): ${said}`;
}

interface Compiler {
  compileFilter(options: {
    readonly entry: string;
    readonly baseDir: string;
    readonly memory: string;
  }): Promise<{ readonly ok: true; readonly binary: Uint8Array } | { readonly ok: false; readonly errors: string }>;
}

async function steady(memory: "fast" | "convenient"): Promise<string> {
  const path = join(out, `steady-${memory}.wasm`);
  if (existsSync(path)) return path;
  // Not bundled: the compiler's wrapper reads files beside itself.
  const { compileFilter } = (await import(pathToFileURL(join(root, "filters/sdk/compile.mjs")).href)) as Compiler;
  const built = await compileFilter({ entry: "filters/sdk/testing/steady/index.ts", baseDir: root, memory });
  if (!built.ok) throw new Error(built.errors);
  mkdirSync(out, { recursive: true });
  writeFileSync(path, built.binary);
  return path;
}
