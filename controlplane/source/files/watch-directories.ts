// Hints that something in a directory changed. Only hints: a rescan decides what did.
import { type FSWatcher, watch } from "node:fs";

/** Watches that follow a changing set of directories. */
export interface DirectoryWatch {
  /** Watches exactly these directories from now on; the values tell a directory from another that took its name. */
  follow(directories: ReadonlyMap<string, string>): void;
  close(): void;
}

/**
 * Returns a watch that calls `onHint` when something may have changed in a followed directory. Where the system has no
 * watches left, or a directory vanishes, it stays silent: the caller rescans anyway.
 */
export function createDirectoryWatch(onHint: () => void): DirectoryWatch {
  const watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  const drop = (directory: string) => {
    watchers.get(directory)?.watcher.close();
    watchers.delete(directory);
  };
  const add = (directory: string, identity: string) => {
    try {
      const watcher = watch(directory, { persistent: false }, onHint);
      watcher.on("error", () => drop(directory));
      watchers.set(directory, { watcher, identity });
    } catch {
      // ENOSPC or ENOENT: the rescan is there for this.
    }
  };
  return {
    follow(directories) {
      for (const [directory, { identity }] of [...watchers]) if (directories.get(directory) !== identity) drop(directory);
      for (const [directory, identity] of directories) if (!watchers.has(directory)) add(directory, identity);
    },
    close() {
      for (const directory of [...watchers.keys()]) drop(directory);
    },
  };
}
