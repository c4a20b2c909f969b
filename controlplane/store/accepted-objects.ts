// The last good version of every object, kept across restarts: a file that is broken while the control plane starts anew must
// not cost what it held before.
import { readFileSync } from "node:fs";
import { replaceFile } from "../disk/replace-file.ts";
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
  /** Keeps the objects of a state, after a pause where one is given. Calls may overlap: the newest state wins. Rejects when the file cannot be written. */
  keep(world: World): Promise<void>;
  /** Resolves when what is to be kept is kept, without a pause. */
  flush(): Promise<void>;
}

/** Waits before each writing, so that a burst of changes is one. */
export type Pause = (signal: AbortSignal) => Promise<void>;

/** The file at `path`, which only its owner may read: Secrets are among the objects. `include` picks the objects worth keeping. */
export function createAcceptedObjects(path: string, include: (object: MeshObject) => boolean, pause: Pause = async () => {}): AcceptedObjects {
  let next: World | undefined;
  let writing: Promise<void> | undefined;
  let hurry = new AbortController();
  const write = async (): Promise<void> => {
    while (next !== undefined) {
      await pause(hurry.signal).catch(() => undefined);
      const world = next;
      next = undefined;
      const texts = allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]).filter(include).map(textOf);
      await replaceFile(path, `{"format":${FORMAT},"objects":[${texts.join(",")}]}`);
    }
  };
  return {
    async flush() {
      hurry.abort();
      await writing;
      hurry = new AbortController();
    },
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

const texts = new WeakMap<MeshObject, { readonly text: string; readonly place: string }>();

/** Objects hardly ever change: their text is made once, and again where they moved. */
function textOf(object: MeshObject): string {
  const { file, line, column } = object.location;
  const place = `${file}:${line}:${column}`;
  const known = texts.get(object);
  if (known?.place === place) return known.text;
  const text = JSON.stringify(object);
  texts.set(object, { text, place });
  return text;
}
