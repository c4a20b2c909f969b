// Files that their readers see whole: as they were, or as they are now. By hand: write-file-atomic needs a newer Node,
// and syncs no directory.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** How the names of files end that are not whole yet. */
export const UNFINISHED = ".new";

export interface ReplaceOptions {
  /** Its owner's alone unless given. */
  readonly mode?: number;
  /** False: a crash of the machine may cost the content, for whoever finds out by its digest. */
  readonly sync?: boolean;
}

let writes = 0;

/**
 * Writes beside the file, waits until the disk has it, and renames; the directory is made if need be, for its owner
 * alone. Rejects on I/O errors, and leaves nothing half-written behind.
 */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  { mode = 0o600, sync = true }: ReplaceOptions = {},
): Promise<void> {
  const temporary = besides(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(temporary, "w", mode);
    try {
      await file.writeFile(content);
      if (sync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * As `replaceFile`, at once and for good: the directory is synced too, so that the file's name survives a crash of the
 * machine. Throws on I/O errors.
 */
export function replaceFileForGood(path: string, content: string, mode: number): void {
  const temporary = besides(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    // All of it or an error: a full disk takes a part of one write without a word.
    withOpen(temporary, "w", mode, (file) => {
      writeFileSync(file, content);
      fsyncSync(file);
    });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  withOpen(dirname(path), "r", undefined, fsyncSync);
}

function besides(path: string): string {
  return `${path}.${process.pid}.${writes++}${UNFINISHED}`;
}

function withOpen(path: string, flags: string, mode: number | undefined, work: (file: number) => void): void {
  const file = openSync(path, flags, mode);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}
