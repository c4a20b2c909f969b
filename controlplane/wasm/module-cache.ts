// Fetched modules on disk, by what they are: a module that was had once is had again without its server.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WasmModule } from "../translate/ir/filters.ts";

export interface ModuleCache {
  /** Keeps bytes under their digest, and under the URL they came from. A disk that cannot be written costs only the next start's fetch. */
  keep(bytes: Uint8Array, url: string): Promise<void>;
  /** Returns what a URL gave last, verified; undefined if nothing (or nothing whole) is kept. */
  byUrl(url: string): Promise<WasmModule | undefined>;
  byDigest(sha256: string): Promise<WasmModule | undefined>;
}

/** Returns the lower-case hexadecimal SHA-256 of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Returns a cache in `<directory>/modules/<sha256>.wasm` and `<directory>/urls/<sha256 of the URL>`. */
export function createModuleCache(directory: string): ModuleCache {
  const modulePath = (sha256: string) => join(directory, "modules", `${sha256}.wasm`);
  const urlPath = (url: string) => join(directory, "urls", digestOf(Buffer.from(url)));
  const byDigest: ModuleCache["byDigest"] = async (sha256) => {
    const bytes = /^[0-9a-f]{64}$/.test(sha256) ? await readWhole(modulePath(sha256)) : undefined;
    return bytes !== undefined && digestOf(bytes) === sha256 ? { sha256, bytes } : undefined;
  };
  return {
    byDigest,
    async byUrl(url) {
      const digest = await readWhole(urlPath(url));
      return digest === undefined ? undefined : byDigest(digest.toString("utf8").trim());
    },
    async keep(bytes, url) {
      const sha256 = digestOf(bytes);
      await writeWhole(join(directory, "modules"), modulePath(sha256), bytes);
      await writeWhole(join(directory, "urls"), urlPath(url), Buffer.from(sha256));
    },
  };
}

async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch {
    return undefined;
  }
}

/** A reader sees the whole file or none. */
async function writeWhole(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
