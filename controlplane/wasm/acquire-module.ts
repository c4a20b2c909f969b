// The bytes of a plugin's module, verified: from its file, from the cache, or from its server.
import { readFile, stat } from "node:fs/promises";
import type { WasmModule } from "../translate/ir/filters.ts";
import { download, type DownloadLimits } from "./download.ts";
import { digestOf, type ModuleCache } from "./module-cache.ts";
import type { PluginSource } from "./plugin-source.ts";

export interface AcquireOptions {
  readonly cache: ModuleCache;
  readonly limits: DownloadLimits;
}

export type Acquired =
  /** `stale` says why these are not the bytes asked for but those that the URL gave before. */
  | { readonly ok: true; readonly module: WasmModule; readonly stale?: string }
  | { readonly ok: false; readonly field: "spec.url" | "spec.sha256"; readonly message: string };

/** Returns the module that a source asks for. `fresh`: what was fetched before will not do, whatever the pull policy. */
export async function acquireModule(source: PluginSource, options: AcquireOptions, fresh: boolean): Promise<Acquired> {
  const { location } = source;
  switch (location.kind) {
    case "unsupported": return { ok: false, field: "spec.url", message: location.reason };
    case "file": return verified(await readModule(location.path, options.limits.maxBytes), source);
    case "http": return fromServer(location.url, source, options, fresh);
  }
}

async function fromServer(url: string, source: PluginSource, { cache, limits }: AcquireOptions, fresh: boolean): Promise<Acquired> {
  // A digest says exactly which bytes are meant: who gave them does not matter.
  const known = source.sha256 === undefined ? undefined : await cache.byDigest(source.sha256);
  if (known !== undefined) return { ok: true, module: known };
  const before = await cache.byUrl(url);
  const usable = before !== undefined && (source.sha256 === undefined || before.sha256 === source.sha256) ? before : undefined;
  if (usable !== undefined && source.reuse && !fresh) return { ok: true, module: usable };
  const fetched = verified(await download(url, limits), source);
  if (fetched.ok) await cache.keep(fetched.module.bytes, url);
  else if (usable !== undefined) return { ok: true, module: usable, stale: fetched.message };
  return fetched;
}

function verified(read: { ok: true; bytes: Uint8Array } | { ok: false; message: string }, source: PluginSource): Acquired {
  if (!read.ok) return { ok: false, field: "spec.url", message: read.message };
  const sha256 = digestOf(read.bytes);
  if (source.sha256 !== undefined && source.sha256 !== sha256) {
    return { ok: false, field: "spec.sha256", message: `the module's SHA-256 is ${sha256}, not ${source.sha256}` };
  }
  return { ok: true, module: { sha256, bytes: read.bytes } };
}

async function readModule(path: string, maxBytes: number): Promise<{ ok: true; bytes: Uint8Array } | { ok: false; message: string }> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) return { ok: false, message: `${path}: larger than ${maxBytes} bytes` };
    return { ok: true, bytes: await readFile(path) };
  } catch (error) {
    return { ok: false, message: error instanceof Error && "code" in error && error.code === "ENOENT" ? `${path}: there is no such file` : String(error instanceof Error ? error.message : error) };
  }
}
