// What is wrong with an object, where, and how bad it is.
import { type FieldPath, formatPath, type PlaceInText, type SourceDocument } from "../model/document.ts";
import { compareOrigins, describeOrigin, type Origin } from "../model/origin.ts";

/** One thing wrong with one field. An error keeps the object's last good version in force; a warning does not. */
export interface Violation {
  readonly severity: "error" | "warning";
  readonly origin: Origin;
  /** `Kind/namespace/name`, with `?` for what could not be read; "" for a whole unit or source. */
  readonly object: string;
  /** `spec.http[0].route[1].weight`; "" for the object as a whole. */
  readonly field: string;
  readonly message: string;
}

/** Where checks say what they find, by the path of the field inside the document. */
export interface Findings {
  /** `inside`: the place in the field's own text, if that is a document of its own. */
  error(path: FieldPath, message: string, inside?: PlaceInText): void;
  warn(path: FieldPath, message: string, inside?: PlaceInText): void;
  /** Returns whether an error was found at this path or below: then its value says nothing. */
  failedUnder(path: FieldPath): boolean;
}

/** A field that was written elsewhere than where it is checked, because an alias was rewritten. */
export interface Relocation {
  readonly from: FieldPath;
  readonly to: FieldPath;
}

/** Returns findings that become violations of one document, and the list they go to. */
export function findingsOf(
  document: SourceDocument,
  object: string,
  relocations: readonly Relocation[] = [],
): Findings & { readonly violations: Violation[] } {
  const violations: Violation[] = [];
  const failed: FieldPath[] = [];
  const add = (severity: Violation["severity"], path: FieldPath, message: string, inside?: PlaceInText) => {
    const written = originalPath(path, relocations);
    violations.push({
      severity,
      origin: document.locate(written, inside),
      object,
      field: formatPath(written),
      message,
    });
  };
  return {
    violations,
    error(path, message, inside) {
      failed.push(path);
      add("error", path, message, inside);
    },
    warn: (path, message, inside) => add("warning", path, message, inside),
    failedUnder: (path) => failed.some((other) => path.every((part, index) => part === other[index])),
  };
}

function originalPath(path: FieldPath, relocations: readonly Relocation[]): FieldPath {
  const covering = relocations.filter(
    ({ to }) => to.length <= path.length && to.every((part, index) => part === path[index]),
  );
  const nearest = covering.sort((a, b) => b.to.length - a.to.length)[0];
  return nearest === undefined ? path : [...nearest.from, ...path.slice(nearest.to.length)];
}

/** Orders violations by origin, field and message. */
export function compareViolations(a: Violation, b: Violation): number {
  const byOrigin = compareOrigins(a.origin, b.origin);
  if (byOrigin !== 0) return byOrigin;
  const left = `${a.field}\n${a.message}`,
    right = `${b.field}\n${b.message}`;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Returns the violation in one line, as compilers print them: `file:line:column: error: object field: message`. */
export function formatViolation({ origin, severity, object, field, message }: Violation): string {
  const isSaid = origin.kind === "kubernetes" && origin.object === object;
  const subject = [isSaid ? "" : object, field].filter((part) => part !== "").join(" ");
  return [describeOrigin(origin), severity, ...(subject === "" ? [] : [subject]), message].join(": ");
}
