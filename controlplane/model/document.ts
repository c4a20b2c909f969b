// What a source hands to the rest: documents with their places, per file, in batches.
import type { SourceLocation } from "./object.ts";

/** Where a field stands inside a document: names of fields and indexes of list items. */
export type FieldPath = readonly (string | number)[];

/** A place in a text, both from 1. */
export interface PlaceInText {
  readonly line: number;
  readonly column: number;
}

/** One document as written, before anything is known about it. */
export interface SourceDocument {
  readonly file: string;
  /** Plain JSON data. The same reference as before means the same text as before. */
  readonly value: unknown;
  /**
   * Returns where a field stands: its key, or the item of a list; the nearest enclosing place if the field is not
   * there. With `inside`, a place in the field's own text (both from 1), where that is written as a literal block
   * (`|`).
   */
  locate(path: FieldPath, inside?: PlaceInText): SourceLocation;
}

/** Something that keeps a file from being read as documents. */
export interface SyntaxProblem extends SourceLocation {
  readonly message: string;
}

/** What one file holds now. */
export interface FileSnapshot {
  readonly file: string;
  readonly documents: readonly SourceDocument[];
  /** If there are any, nobody knows which objects the file should hold. */
  readonly problems: readonly SyntaxProblem[];
  /** False while the file may still be being written: objects missing from it must not be deleted yet. */
  readonly settled: boolean;
}

/** What changed in a source since its last batch. */
export interface SourceBatch {
  /** The source's name; files of different sources never replace each other. */
  readonly source: string;
  /** New and changed files, by path. A file that is gone is there with no documents. */
  readonly files: readonly FileSnapshot[];
  /** What is wrong with the source as a whole, replacing what it said before. */
  readonly notices: readonly SyntaxProblem[];
}

const PLAIN_NAME = /^[A-Za-z_$][\w$-]*$/;

/** Returns the path as people write it: `spec.http[0].route[1].weight`, `metadata.labels["a.b/c"]`. */
export function formatPath(path: FieldPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (PLAIN_NAME.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}
