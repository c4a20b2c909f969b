// A file that its readers see whole: as it was, or as it is now.
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

let writes = 0;

/**
 * Writes beside the file, waits until the disk has it, and renames; the directory is made if need be, for its owner
 * alone. Rejects on I/O errors, and leaves nothing half-written behind.
 */
export async function replaceFile(path: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.${writes++}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(temporary, "w", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
