// A file that its readers see whole: as it was, or as it is now.
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

let writes = 0;

/** Writes beside the file and renames; the directory is made if need be. Rejects on I/O errors, and leaves nothing half-written behind. */
export async function replaceFile(path: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.${writes++}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeFile(temporary, content, { mode });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
