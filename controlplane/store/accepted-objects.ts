// The last good version of every object, kept across restarts: a file that is broken while the control plane starts
// anew must not cost what it held before.
import { readFileSync } from "node:fs";
import { createKeptFile, type KeptFileOptions } from "../disk/kept-file.ts";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import type { World } from "../world/world.ts";

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
  /**
   * Keeps the objects of a state, soon: the newest state wins. A disk that cannot be written is told of by the file's
   * news.
   */
  keep(world: World): void;
  /** Resolves when what is to be kept is kept, or could not be, without a pause. */
  flush(): Promise<void>;
}

/**
 * The file at `path`, which only its owner may read: Secrets are among the objects. `include` picks the objects worth
 * keeping.
 */
export function createAcceptedObjects(
  path: string,
  include: (object: MeshObject) => boolean,
  how: Pick<KeptFileOptions, "news" | "sleep" | "quietMs">,
): AcceptedObjects {
  let newest: World | undefined;
  const file = createKeptFile({
    ...how,
    path,
    content() {
      const texts = allKinds
        .flatMap((kind) => (newest?.list(kind) ?? []) as readonly MeshObject[])
        .filter(include)
        .map(textOf);
      return `{"format":${FORMAT},"objects":[${texts.join(",")}]}`;
    },
  });
  return {
    flush: () => file.flush(),
    read: () => readAcceptedObjects(path),
    keep(world) {
      newest = world;
      file.changed();
    },
  };
}

/** Returns the objects kept at `path`; nothing if they cannot be read. */
export function readAcceptedObjects(path: string): readonly MeshObject[] {
  try {
    const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
    return kept.format === FORMAT ? kept.objects : [];
  } catch {
    return [];
  }
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
