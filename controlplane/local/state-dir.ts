// The state directory: one mesh at a time, readable by its owner only.
import { join } from "node:path";
import { takeFileLock } from "../disk/file-lock.mjs";
import { ensurePrivateDirectory } from "../disk/private-directory.ts";
import { type Failure, failed } from "../model/failure.ts";

export type StateDirResult =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  | Failure<"state-dir-taken" | "state-dir-unusable">;

/** Makes and locks the directory; a lock whose process is gone is taken over. */
export async function lockStateDir(path: string): Promise<StateDirResult> {
  try {
    ensurePrivateDirectory(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return failed(
      "state-dir-unusable",
      `The state directory ${path} cannot be made (${code}): choose another with --state-dir.`,
    );
  }
  const lock = await takeFileLock(join(path, "lock"));
  return lock.kind === "locked"
    ? lock
    : failed(
        "state-dir-taken",
        `The state directory ${path} is in use by process ${lock.by}: ` +
          "stop that mesh, or give this one another with --state-dir.",
      );
}
