// What a source hands to the rest: documents with their origins, by unit, in batches.
import type { Origin } from "./origin.ts";

/** Where a field stands inside a document: names of fields and indexes of list items. */
export type FieldPath = readonly (string | number)[];

/** A place in a text, both from 1. */
export interface PlaceInText {
  readonly line: number;
  readonly column: number;
}

/** One document as written, before anything is known about it. */
export interface SourceDocument {
  /** Plain JSON data. The same reference as before means the same text as before. */
  readonly value: unknown;
  /**
   * Returns where a field stands: in a file its key, or the item of a list; the nearest enclosing place if the field is
   * not there. With `inside`, a place in the field's own text (both from 1), where that is written as a literal block
   * (`|`). Elsewhere than in files a document is its own only place. Each call returns an origin of its own.
   */
  locate(path: FieldPath, inside?: PlaceInText): Origin;
}

/** Something that keeps a unit, or a whole source, from being read as documents. */
export interface SourceProblem {
  readonly origin: Origin;
  readonly message: string;
}

/**
 * What one unit of a source holds now. A unit is what changes and goes as a whole: a file, or an object of a cluster.
 * One that is gone holds no documents.
 */
export interface SourceUnit {
  /** The file's path, or the object's uid. */
  readonly id: string;
  readonly documents: readonly SourceDocument[];
  /** If there are any, nobody knows which objects the unit should hold. */
  readonly problems: readonly SourceProblem[];
  /** False while a file may still be being written: objects missing from it must not be deleted yet. */
  readonly settled: boolean;
}

/** What changed in a source since its last batch. */
export interface SourceBatch {
  /** The source's name; units of different sources never replace each other. */
  readonly source: string;
  /** Units that are new, changed or gone. */
  readonly units: readonly SourceUnit[];
  /** What is wrong with the source as a whole, replacing what it said before. */
  readonly notices: readonly SourceProblem[];
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
