// What is known of a collection's objects: enough to tell, after a new list, what changed since the last. Pure.

/** One object as far as it is looked at here; `value` is what was decoded of it. */
export interface Listed<T> {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly value: T;
}

/** What changed. Of objects of one name, one that goes is gone before the other comes. */
export interface Changes<T> {
  /** New, or in a version that was not told yet. */
  readonly put: readonly Listed<T>[];
  /** uids. */
  readonly gone: readonly string[];
}

/** A list on its way; nothing changes before its end. */
export interface Listing<T> {
  add(item: Listed<T>): void;
  /** Returns what is different from what was known: nothing, as a rule. */
  end(): Changes<T>;
}

export interface KnownObjects<T> {
  /** Returns the change, unless this version is known. */
  put(item: Listed<T>): Changes<T> | undefined;
  remove(uid: string): Changes<T> | undefined;
  list(): Listing<T>;
  size(): number;
}

/** Returns the knowledge of a collection of which nothing was heard. */
export function createKnownObjects<T>(): KnownObjects<T> {
  let versions = new Map<string, string>();
  return {
    put(item) {
      if (versions.get(item.uid) === item.resourceVersion) return undefined;
      versions.set(item.uid, item.resourceVersion);
      return { put: [item], gone: [] };
    },
    remove: (uid) => (versions.delete(uid) ? { put: [], gone: [uid] } : undefined),
    list() {
      const listed = new Map<string, string>();
      const changed = new Map<string, Listed<T>>();
      return {
        add(item) {
          listed.set(item.uid, item.resourceVersion);
          if (versions.get(item.uid) === item.resourceVersion) changed.delete(item.uid);
          else changed.set(item.uid, item);
        },
        end() {
          const gone = [...versions.keys()].filter((uid) => !listed.has(uid));
          versions = listed;
          return { put: [...changed.values()], gone };
        },
      };
    },
    size: () => versions.size,
  };
}
