// One set of objects out of what all files contribute. Pure.
import { compareText, haveSameContent, type MeshObject } from "../model/object.ts";
import type { Violation } from "../validate/violation.ts";
import type { FileEntry } from "./file-entry.ts";

/** A violation with whether an earlier version of what it is about is in force. */
export interface StoreViolation extends Violation {
  readonly servingLastGood: boolean;
}

/** The objects in force, by key, and everything wrong with the files. */
export interface Merged {
  readonly objects: ReadonlyMap<string, MeshObject>;
  readonly violations: readonly StoreViolation[];
}

/**
 * Returns the merge of all entries (by source, then by file). Where files define the same object, the first by source and
 * path counts and others that say something else are reported; what is only held gives way to what is defined anywhere.
 */
export function mergeEntries(entries: ReadonlyMap<string, ReadonlyMap<string, FileEntry>>): Merged {
  const objects = new Map<string, MeshObject>();
  const violations: StoreViolation[] = [];
  const ordered = inOrder(entries);
  for (const entry of ordered) {
    for (const [key, object] of entry.defined) {
      const first = objects.get(key);
      if (first === undefined) objects.set(key, object);
      else if (!haveSameContent(first, object)) violations.push(duplicate(key, object, first));
    }
  }
  const defined = new Set(objects.keys());
  for (const entry of ordered) {
    for (const [key, object] of entry.held) if (!objects.has(key)) objects.set(key, object);
  }
  for (const entry of ordered) {
    for (const violation of entry.violations) violations.push({ ...violation, servingLastGood: servesLastGood(violation, entry, defined) });
  }
  return { objects, violations };
}

function inOrder(entries: ReadonlyMap<string, ReadonlyMap<string, FileEntry>>): readonly FileEntry[] {
  const sources = [...entries].sort(([a], [b]) => compareText(a, b));
  return sources.flatMap(([, files]) => [...files.values()].sort((a, b) => compareText(a.file, b.file)));
}

function duplicate(key: string, object: MeshObject, first: MeshObject): StoreViolation {
  const { file, line, column } = object.location;
  const message = `is defined in ${first.location.file}:${first.location.line} already: that one counts`;
  return { severity: "error", file, line, column, object: key, field: "metadata.name", message, servingLastGood: false };
}

function servesLastGood(violation: Violation, entry: FileEntry, defined: ReadonlySet<string>): boolean {
  if (violation.severity === "warning") return false;
  const isNamed = violation.object !== "" && !violation.object.split("/").includes("?");
  if (isNamed) return entry.held.has(violation.object) && !defined.has(violation.object);
  return [...entry.held.keys()].some((key) => !defined.has(key));
}
