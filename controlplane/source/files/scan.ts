// Which files a directory holds now, and what they look like from outside.
import { type BigIntStats, type Dirent, lstatSync, statSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { compareText } from "../../model/object.ts";

/** What changes when a file's content may have changed, even if size and time stay. */
export type FileSignature = string;

/** A directory tree at one moment. */
export interface Scan {
  /** Path (as joined to the root) → signature, by path. */
  readonly files: ReadonlyMap<string, FileSignature>;
  /** Those of `files` that are links: what they lead to may change without anything's changing here. */
  readonly links: ReadonlySet<string>;
  /** Path → what tells it from another directory that takes its name. */
  readonly directories: ReadonlyMap<string, string>;
  /** Places that could not be looked at: nothing is known of the files under them. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  /** True if the root itself is gone. */
  readonly rootMissing: boolean;
}

/** Deepest nesting of directories that is followed. */
const MAX_DEPTH = 16;
const DOCUMENT_NAME = /\.(?:ya?ml|json)$/i;
/** Files that stand beside a mesh's YAML for other programs. */
const OTHER_PROGRAMS = /^(?:package|package-lock|npm-shrinkwrap|tsconfig(?:\..+)?|asconfig)\.json$/i;

/** Returns whether a file of this name is read: YAML or JSON, not hidden, not another program's. */
export function isDocumentName(name: string): boolean {
  return DOCUMENT_NAME.test(name) && !name.startsWith(".") && !OTHER_PROGRAMS.test(name);
}

/** Returns the signature of a file from its stats. */
export function signatureOf(stats: BigIntStats): FileSignature {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/**
 * Files looked at before other work gets its turn: a look is a few microseconds where it need not go by way of another
 * thread.
 */
const LOOKS_PER_TURN = 64;

/** Returns what stands under `root`, links followed, hidden names and node_modules left out. Rejects only for bugs. */
export async function scanDirectory(root: string): Promise<Scan> {
  const found = new Map<string, FileSignature>();
  const links = new Set<string>();
  const directories = new Map<string, string>();
  const unreadable: { path: string; reason: string }[] = [];
  let rootMissing = false;
  let looks = 0;

  const visit = async (directory: string, depth: number, above: ReadonlySet<string>): Promise<void> => {
    try {
      const real = await realpath(directory);
      if (above.has(real) || depth > MAX_DEPTH) return;
      const { dev, ino } = await stat(directory, { bigint: true });
      directories.set(directory, `${dev}:${ino}`);
      for (const entry of await readdir(directory, { withFileTypes: true }))
        await look(entry, join(directory, entry.name), depth, new Set([...above, real]));
    } catch (error) {
      if (!isMissing(error)) unreadable.push({ path: directory, reason: reasonOf(error) });
      else if (depth === 0) rootMissing = true;
    }
  };
  const look = async (entry: Dirent, path: string, depth: number, above: ReadonlySet<string>): Promise<void> => {
    const { name } = entry;
    if (name.startsWith(".") || name === "node_modules" || (entry.isFile() && !isDocumentName(name))) return;
    if (++looks % LOOKS_PER_TURN === 0) await nextTurn();
    try {
      const stats = statSync(path, { bigint: true });
      if (stats.isDirectory()) return await visit(path, depth + 1, above);
      if (!stats.isFile() || !isDocumentName(name)) return;
      found.set(path, signatureOf(stats));
      if (!entry.isFile()) links.add(path);
    } catch (error) {
      // A name that vanished between two calls is a file that is not there. A link that leads nowhere was not taken
      // away: what it led to is on its way, as in a mounted volume.
      if (!isMissing(error)) unreadable.push({ path, reason: reasonOf(error) });
      else if (isLink(path)) unreadable.push({ path, reason: "the link leads nowhere" });
    }
  };

  await visit(root, 0, new Set());
  const files = new Map([...found].sort(([a], [b]) => compareText(a, b)));
  return { files, links, directories, unreadable: unreadable.sort((a, b) => compareText(a.path, b.path)), rootMissing };
}

/**
 * Returns what a document looks like now; undefined if there is none at its path, "unknown" if that cannot be told, as
 * of a link that leads nowhere.
 */
export function signatureAt(path: string): FileSignature | undefined | "unknown" {
  try {
    const stats = statSync(path, { bigint: true });
    return stats.isFile() ? signatureOf(stats) : "unknown";
  } catch (error) {
    return isMissing(error) && !isLink(path) ? undefined : "unknown";
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/**
 * Returns whether what stands at a path is a plain file or nothing: what is neither a directory nor a link has nothing
 * below it.
 */
export function isLeaf(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch (error) {
    return isMissing(error);
  }
}

/** Returns whether the error says that there is nothing at that path. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP"].includes(codeOf(error));
}

/** Returns the error's reason in words people can act on. */
export function reasonOf(error: unknown): string {
  return codeOf(error) || (error instanceof Error ? error.message : String(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
