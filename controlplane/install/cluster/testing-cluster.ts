// A cluster for tests: objects by path, and what was asked for.
import type { Cluster, LiveObject } from "./cluster.ts";

/** Returns a cluster that has these objects, and the paths of those that were removed from it. */
export function clusterWith(objects: Readonly<Record<string, object>>): {
  readonly cluster: Cluster;
  readonly removed: readonly string[];
} {
  const live = new Map(Object.entries(objects) as (readonly [string, LiveObject])[]);
  const removed: string[] = [];
  const cluster: Cluster = {
    get: async (path) => live.get(path),
    list: async (path) => [...live].flatMap(([at, object]) => (isOfList(at, path) ? [object] : [])),
    apply: async (object) => object as LiveObject,
    async remove(path) {
      if (!live.delete(path)) return false;
      removed.push(path);
      return true;
    },
    ask: async () => ({}),
  };
  return { cluster, removed };
}

/** Whether an object is of a list: that of its namespace, or of all. */
function isOfList(path: string, list: string): boolean {
  const collection = path.slice(0, path.lastIndexOf("/"));
  return collection === list || collection.replace(/\/namespaces\/[^/]+(?=\/)/, "") === list;
}
