// What the watches hinted at since the source last looked.
import { basename } from "node:path";
import { isDocumentName } from "./scan.ts";
import type { HintKind } from "./watch-directories.ts";

/** What to look at next. */
export interface Hinted {
  /** Documents, and how they changed at last: `written` if they were written to at all. */
  readonly documents: ReadonlyMap<string, HintKind>;
  /** Names that are no documents: directories, links, or other programs' files. */
  readonly others: ReadonlySet<string>;
  /** Something changed, nobody knows what. */
  readonly anything: boolean;
}

export interface Hints {
  note(path: string | undefined, kind: HintKind): void;
  /** Returns what was hinted at since the last call. */
  take(): Hinted;
  /** Whether the file was written to since the last `take`. */
  wasWritten(path: string): boolean;
  isEmpty(): boolean;
}

/** Returns hints of nothing. */
export function createHints(): Hints {
  let documents = new Map<string, HintKind>(),
    others = new Set<string>(),
    anything = false;
  return {
    note(path, kind) {
      if (path === undefined) anything = true;
      else if (!isDocumentName(basename(path))) others.add(path);
      else if (documents.get(path) !== "written") documents.set(path, kind);
    },
    take() {
      const taken: Hinted = { documents, others, anything };
      [documents, others, anything] = [new Map(), new Set(), false];
      return taken;
    },
    wasWritten: (path) => documents.get(path) === "written",
    isEmpty: () => documents.size === 0 && others.size === 0 && !anything,
  };
}
