// The last good version of every object, kept across restarts: a file that is broken while the control plane starts anew must
// not cost what it held before.
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import type { World } from "./world.ts";

/** Raised when the shape of objects changes: what an older version wrote is then not read. */
const FORMAT = 1;

/** The file's name in a state directory. */
export const ACCEPTED_OBJECTS_FILE = "accepted.json";

interface Kept {
  readonly format: number;
  readonly objects: readonly MeshObject[];
}

export interface AcceptedObjects {
  /** What was in force when the last run ended; nothing if it cannot be read. */
  read(): readonly MeshObject[];
  /** Keeps the objects of a state. Calls may overlap: the newest state wins. Rejects when the file cannot be written. */
  keep(world: World): Promise<void>;
}

/** The file at `path`, which only its owner may read: Secrets are among the objects. `include` picks the objects worth keeping. */
export function createAcceptedObjects(path: string, include: (object: MeshObject) => boolean): AcceptedObjects {
  let next: World | undefined;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (next !== undefined) {
      const world = next;
      next = undefined;
      const kept: Kept = { format: FORMAT, objects: allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]).filter(include) };
      await writeFile(`${path}.new`, JSON.stringify(kept), { mode: 0o600 });
      await rename(`${path}.new`, path);
    }
  };
  return {
    read() {
      try {
        const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
        return kept.format === FORMAT ? kept.objects : [];
      } catch {
        return [];
      }
    },
    keep(world) {
      next = world;
      writing ??= write().finally(() => (writing = undefined));
      return writing;
    },
  };
}
