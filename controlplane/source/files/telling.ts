// What is told of the changes found: all of them, unless nothing would be left and that is not allowed.
import type { SourceBatch, SourceProblem } from "../../model/document.ts";
import { fileOrigin } from "../../model/origin.ts";
import type { Change } from "./due-changes.ts";
import type { Scan } from "./scan.ts";
import type { TrackedFile } from "./tracked-file.ts";

export interface TellingOptions {
  readonly directory: string;
  /** The name that batches carry. */
  readonly name: string;
  /** Whether a directory that becomes empty empties the mesh; else its last objects are held. */
  readonly allowEmpty: boolean;
  /** What is known of the files, by path; what was told is noted there. */
  readonly files: Map<string, TrackedFile>;
}

export interface Telling {
  /** Returns the batch to tell, taken as told; undefined if there is no news. The `first` one is always told. */
  batchOf(changes: readonly Change[], scan: Scan, first: boolean): SourceBatch | undefined;
  /** Whether changes are held back, because nothing would be left. */
  isHolding(): boolean;
  /** Lets the directory be empty from now on. */
  allowEmpty(): void;
}

/** Returns the telling of a directory of which nothing was told. */
export function createTelling({ directory, name, allowEmpty, files }: TellingOptions): Telling {
  let emptyAllowed = allowEmpty;
  let holding = false;
  let toldNotices = "[]";
  return {
    batchOf(changes, scan, first) {
      holding = !emptyAllowed && emptiesAll(files, changes);
      const notices = noticesOf(scan, directory, holding ? countDocuments(files) : 0);
      const noticed = JSON.stringify(notices);
      const told = holding ? [] : changes;
      if (!first && told.length === 0 && noticed === toldNotices) return undefined;
      toldNotices = noticed;
      for (const change of told) commit(files, change);
      return { source: name, units: told, notices };
    },
    isHolding: () => holding,
    allowEmpty() {
      emptyAllowed = true;
    },
  };
}

function commit(files: Map<string, TrackedFile>, { gone, ...unit }: Change): void {
  const file = files.get(unit.id);
  if (gone) files.delete(unit.id);
  else if (file !== undefined) [file.told, file.next] = [unit, undefined];
}

/** Returns whether telling these changes would leave no document at all where there were some. */
function emptiesAll(files: ReadonlyMap<string, TrackedFile>, changes: readonly Change[]): boolean {
  if (changes.length === 0 || countDocuments(files) === 0) return false;
  const changed = new Map(changes.map((change) => [change.id, change]));
  return [...files.values()].every((file) => {
    const next = changed.get(file.path) ?? file.told;
    return next === undefined || (next.documents.length === 0 && next.problems.length === 0);
  });
}

function countDocuments(files: ReadonlyMap<string, TrackedFile>): number {
  return [...files.values()].reduce((sum, file) => sum + (file.told?.documents.length ?? 0), 0);
}

function noticesOf(scan: Scan, directory: string, held: number): readonly SourceProblem[] {
  const notices = scan.unreadable.map(
    ({ path, reason }): SourceProblem => ({
      origin: fileOrigin(path),
      message: `cannot be read (${reason}): its last objects are kept`,
    }),
  );
  if (held > 0) {
    const what = scan.rootMissing ? "the directory is gone" : "the directory holds no object any more";
    notices.push({
      origin: fileOrigin(directory),
      message: `${what}: its last ${held} documents are kept; --allow-empty deletes them`,
    });
  }
  return notices;
}
