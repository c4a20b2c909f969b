// Directories that others must not read.
import { chmodSync, mkdirSync, statSync } from "node:fs";

/**
 * Makes a directory that only its owner can enter, or makes an existing one so. One that is so is not touched: its disk
 * may be read-only. Throws on I/O errors.
 */
export function ensurePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if ((statSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}
