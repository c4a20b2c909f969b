// Scrim's own filter modules, as the build left them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltinFilter, WasmModule } from "../model/wasm-module.ts";
import { digestOf } from "./module-cache.ts";

export type BuiltinModules = Readonly<Record<BuiltinFilter, WasmModule>>;

/**
 * Returns the modules of `directory` (`filters/build`). Throws when one is not there: the installation is not whole.
 */
export async function loadBuiltinModules(directory: string): Promise<BuiltinModules> {
  const load = async (name: BuiltinFilter): Promise<WasmModule> => {
    const bytes = await readFile(join(directory, `${name}.wasm`));
    return { bytes, sha256: digestOf(bytes) };
  };
  const [authz, ratelimit, router, telemetry, mesh] = await Promise.all([
    load("authz"),
    load("ratelimit"),
    load("router"),
    load("telemetry"),
    load("mesh"),
  ]);
  return { authz, ratelimit, router, telemetry, mesh };
}
