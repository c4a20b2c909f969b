// The last good version of every object, kept across restarts: a file that is broken while the control plane starts
// anew must not cost what it held before.
import { readFileSync } from "node:fs";
import { createKeptFile, type KeptFileOptions } from "../disk/kept-file.ts";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { describeOrigin, fileOrigin } from "../model/origin.ts";
import type { Cell } from "../stages/cell.ts";
import type { World } from "../world/world.ts";

/** Raised when the shape of objects changes: what it is written in is not read by versions before. */
const FORMAT = 2;

/** The file's name in a state directory. */
export const ACCEPTED_OBJECTS_FILE = "accepted.json";

type Kept =
  | (Remembered & { readonly format: typeof FORMAT })
  | { readonly format: 1; readonly objects: readonly ObjectOfFile[] };

/** An object as format 1 had it, when all objects were of files. */
type ObjectOfFile = Omit<MeshObject, "origin"> & {
  readonly location: { readonly file: string; readonly line: number; readonly column: number };
};

/** What an earlier run left. */
export interface Remembered {
  /** What was in force when it ended. */
  readonly objects: readonly MeshObject[];
  /** What was in force before that of those it saw change: of what changed last nobody may have said yet that it is bad. */
  readonly earlier?: readonly MeshObject[];
}

/** What is in force, and what was. */
export interface InForce {
  readonly world: Cell<World>;
  /** As in Remembered. */
  earlier(): readonly MeshObject[];
}

export interface AcceptedObjects {
  /** Nothing if it cannot be read. */
  read(): Remembered;
  /**
   * Keeps the objects of a state, soon: the newest state wins. A disk that cannot be written is told of by the file's
   * news.
   */
  keep(state: InForce): void;
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
  let newest: InForce | undefined;
  const file = createKeptFile({
    ...how,
    path,
    content() {
      const world = newest?.world.read();
      const textsOf = (objects: readonly MeshObject[]) => objects.filter(include).map(textOf).join(",");
      const objects = allKinds.flatMap((kind) => (world?.list(kind) ?? []) as readonly MeshObject[]);
      const earlier = textsOf(newest?.earlier() ?? []);
      return `{"format":${FORMAT},"objects":[${textsOf(objects)}]${earlier && `,"earlier":[${earlier}]`}}`;
    },
  });
  return {
    flush: () => file.flush(),
    read: () => readAcceptedObjects(path),
    keep(state) {
      newest = state;
      file.changed();
    },
  };
}

/** Returns what is kept at `path`; nothing if it cannot be read. */
export function readAcceptedObjects(path: string): Remembered {
  try {
    const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
    if (kept.format === FORMAT) return kept;
    return { objects: kept.format === 1 ? kept.objects.map(withOrigin) : [] };
  } catch {
    return { objects: [] };
  }
}

function withOrigin({ location: { file, line, column }, ...object }: ObjectOfFile): MeshObject {
  return { ...object, origin: fileOrigin(file, line, column) };
}

const texts = new WeakMap<MeshObject, { readonly text: string; readonly place: string }>();

/** Objects hardly ever change: their text is made once, and again where they moved. */
function textOf(object: MeshObject): string {
  const place = describeOrigin(object.origin);
  const known = texts.get(object);
  if (known?.place === place) return known.text;
  const text = JSON.stringify(object);
  texts.set(object, { text, place });
  return text;
}
