// Hints that something in a directory changed. Only hints: looking decides what did.
import { type FSWatcher, watch } from "node:fs";
import { platform } from "node:os";
import { join } from "node:path";

/** What a hint says: `put` there (or taken away) as a whole, as a rename does, or `written` to. */
export type HintKind = "put" | "written";

/** Watches that follow a changing set of directories. */
export interface DirectoryWatch {
  /**
   * Watches exactly these directories from now on; the values tell a directory from another that took its name. Returns
   * whether one was added.
   */
  follow(directories: ReadonlyMap<string, string>): boolean;
  /** Whether every directory to follow is watched: else only looking tells of changes there. */
  isComplete(): boolean;
  close(): void;
}

/** Elsewhere a name that was put there and then written to is told as one. */
const TELLS_WRITES_APART = platform() === "linux";

/**
 * Returns a watch that calls `onHint` when something may have changed at a path; without a path it may be anything.
 * Where the system has no watches left, or a directory vanishes, it stays silent: the caller rescans anyway.
 */
export function createDirectoryWatch(onHint: (path: string | undefined, kind: HintKind) => void): DirectoryWatch {
  const watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  let followed = 0;
  const drop = (directory: string) => {
    watchers.get(directory)?.watcher.close();
    watchers.delete(directory);
  };
  const add = (directory: string, identity: string): boolean => {
    try {
      const watcher = watch(directory, { persistent: false }, (event, name) =>
        onHint(
          name === null ? undefined : join(directory, name),
          TELLS_WRITES_APART && event === "rename" ? "put" : "written",
        ),
      );
      watcher.on("error", () => drop(directory));
      watchers.set(directory, { watcher, identity });
      return true;
    } catch {
      // ENOSPC or ENOENT: the rescan is there for this.
      return false;
    }
  };
  return {
    follow(directories) {
      followed = directories.size;
      for (const [directory, { identity }] of [...watchers])
        if (directories.get(directory) !== identity) drop(directory);
      let added = false;
      for (const [directory, identity] of directories)
        if (!watchers.has(directory)) added = add(directory, identity) || added;
      return added;
    },
    isComplete: () => watchers.size === followed,
    close() {
      for (const directory of [...watchers.keys()]) drop(directory);
    },
  };
}
