// Fetched modules on disk, by what they are: a module that was had once is had again without its server.
//   <directory>/modules/<sha256>.wasm      the bytes, found only by way of an index entry
//   <directory>/index/<sha256 of the key>  which module a key led to, and what was learnt of it
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile, UNFINISHED } from "../disk/replace-file.ts";
import type { WasmModule } from "../model/wasm-module.ts";
import type { ImageLayout } from "./oci/layouts.ts";
import type { Signature } from "./trust/signature.ts";

/** What is known of a module that came in an image. */
export interface ImageFacts {
  /** What its name led to, and the manifest taken (of an index: one of its manifests). */
  readonly digest: string;
  readonly manifestDigest: string;
  readonly layout: ImageLayout;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface CachedModule {
  readonly module: WasmModule;
  readonly image?: ImageFacts | undefined;
  /** Those found when somebody asked for them last. */
  readonly signatures: readonly Signature[];
}

export interface ModuleCache {
  /** Keeps a module under each key. A disk that cannot be written costs only the next start's fetch. */
  keep(keys: readonly string[], entry: CachedModule): Promise<void>;
  /** Returns what a key led to last, its bytes verified; undefined if nothing (or nothing whole) is kept. */
  read(key: string): Promise<CachedModule | undefined>;
}

export interface ModuleCacheOptions {
  readonly directory: string;
  /** Bytes of modules beyond which those unused for longest are removed. */
  readonly maxBytes?: number | undefined;
  /** Digests of modules that are served now: never removed. */
  readonly inUse?: (() => ReadonlySet<string>) | undefined;
  readonly nowMs: () => number;
}

const MOST_INDEX_ENTRIES = 4_096;
const STALE_TEMPORARY_MS = 3_600_000;

/** Returns the lower-case hexadecimal SHA-256 of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Returns the cache in a directory. */
export function createModuleCache({
  directory,
  maxBytes = 512 * 1_024 * 1_024,
  inUse = () => new Set(),
  nowMs,
}: ModuleCacheOptions): ModuleCache {
  const [modules, index] = [join(directory, "modules"), join(directory, "index")];
  const modulePath = (sha256: string) => join(modules, `${sha256}.wasm`);
  const indexPath = (key: string) => join(index, digestOf(Buffer.from(key)));
  return {
    async read(key) {
      const record = parseRecord(await readWhole(indexPath(key)));
      const bytes = record === undefined ? undefined : await readWhole(modulePath(record.sha256));
      if (record === undefined || bytes === undefined || digestOf(bytes) !== record.sha256) return undefined;
      const now = new Date(nowMs());
      await Promise.all([modulePath(record.sha256), indexPath(key)].map((path) => utimes(path, now, now))).catch(
        () => undefined,
      );
      const { sha256, image, signatures } = record;
      return { module: { sha256, bytes }, signatures, image };
    },
    async keep(keys, { module, image, signatures }) {
      await write(modulePath(module.sha256), module.bytes);
      const record: IndexRecord = { sha256: module.sha256, signatures, image };
      for (const key of keys) await write(indexPath(key), JSON.stringify(record));
      const kept = new Set([...inUse(), module.sha256].map((sha256) => `${sha256}.wasm`));
      await evict(modules, { nowMs: nowMs(), fits: ({ bytes }) => bytes <= maxBytes, kept: (name) => kept.has(name) });
      await evict(index, { nowMs: nowMs(), fits: ({ count }) => count <= MOST_INDEX_ENTRIES, kept: () => false });
    },
  };
}

type IndexRecord = Omit<CachedModule, "module"> & { readonly sha256: string };

/** What stands there was written by us and may be older than we are: only what is as expected counts. */
function parseRecord(content: Buffer | undefined): IndexRecord | undefined {
  try {
    const value: unknown = content === undefined ? undefined : JSON.parse(content.toString("utf8"));
    if (typeof value !== "object" || value === null || !("sha256" in value) || !("signatures" in value))
      return undefined;
    return typeof value.sha256 === "string" && /^[0-9a-f]{64}$/.test(value.sha256) && Array.isArray(value.signatures)
      ? (value as IndexRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

interface Bounds {
  readonly nowMs: number;
  readonly fits: (total: { readonly bytes: number; readonly count: number }) => boolean;
  readonly kept: (name: string) => boolean;
}

/** Removes the files unused for longest until the rest fits. */
async function evict(directory: string, { nowMs, fits, kept }: Bounds): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(directory, name)).catch(() => undefined);
      return { name, bytes: info?.size ?? 0, usedMs: info?.mtimeMs ?? 0, temporary: name.endsWith(UNFINISHED) };
    }),
  );
  let total = { bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), count: files.length };
  for (const file of files.sort((a, b) => a.usedMs - b.usedMs)) {
    const abandoned = file.temporary && nowMs - file.usedMs > STALE_TEMPORARY_MS;
    if (!abandoned && (fits(total) || file.temporary || kept(file.name))) continue;
    await rm(join(directory, file.name), { force: true }).catch(() => undefined);
    total = { bytes: total.bytes - file.bytes, count: total.count - 1 };
  }
}

async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch {
    return undefined;
  }
}

/** What is not whole after a crash shows by its digest, and is fetched again. */
async function write(path: string, content: Uint8Array | string): Promise<void> {
  await replaceFile(path, content, { sync: false }).catch(() => undefined);
}
