// Files that a command names: whole, regular and of a size that makes sense.
import { readFile, stat } from "node:fs/promises";
import { ScrimError } from "../../model/failure.ts";
import { commandFailure } from "../exit-codes.ts";

const MAX_BYTES = 1_024 * 1_024;

/** Returns a file's text. `what` is how the command calls it: `--key cosign.pub`. Throws CommandFailure. */
export async function readNamedFile(what: string, path: string): Promise<string> {
  try {
    const file = await stat(path);
    // A device or a pipe need not have an end.
    if (!file.isFile()) throw commandFailure("failed", `${what} is no regular file.`);
    if (file.size > MAX_BYTES) throw commandFailure("failed", `${what} is larger than ${MAX_BYTES} bytes.`);
    return await readFile(path, "utf8");
  } catch (error) {
    throw error instanceof ScrimError
      ? error
      : commandFailure("failed", `${what} cannot be read: ${describeFileError(error)}.`, { cause: error });
  }
}

/** Returns why a file cannot be read or written; goes on after a colon. */
export function describeFileError(error: unknown): string {
  const { code = "", message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  switch (code) {
    case "ENOENT":
      return "there is no such file or folder";
    case "EISDIR":
      return "it is a folder";
    case "ENOTDIR":
      return "a part of its path is no folder";
    case "EACCES":
    case "EPERM":
      return "it is not permitted";
    case "ENOSPC":
      return "the disk is full";
    case "EROFS":
      return "the disk is read-only";
    default:
      return message;
  }
}
