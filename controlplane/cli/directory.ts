import { stat } from "node:fs/promises";
import { commandFailure } from "./exit-codes.ts";

/** Throws CommandFailure unless the path is a directory. */
export async function requireDirectory(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined)
    throw commandFailure(
      "failed",
      `There is no directory ${path}: give the directory that holds the mesh's YAML files.`,
    );
  if (!info.isDirectory())
    throw commandFailure("failed", `${path} is not a directory: give the directory that holds the mesh's YAML files.`);
}
