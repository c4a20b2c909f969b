// For tests of this folder: documents from texts, and what is said of them.
import { expect } from "vitest";
import type { Origin } from "../model/origin.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { validateDocument } from "./document.ts";
import type { Violation } from "./violation.ts";

export function validate(text: string, strict = false) {
  const { documents, problems } = parseFile(text, "f.yaml");
  expect(problems).toEqual([]);
  const [document] = documents;
  if (document === undefined) throw new Error("no document");
  return validateDocument(document, { strict });
}

/** Returns a document of a networking kind with this spec, whose `spec:` stands in line 4. */
export function networking(kind: string, spec: string): string {
  return (
    `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: x}\nspec:\n` +
    `${spec.replaceAll(/^/gm, "  ")}\n`
  );
}

/** `line:column`, in the one file there is. */
export function placeOf(origin: Origin): string {
  return origin.kind === "file" ? `${origin.line}:${origin.column}` : expect.fail("is of no file");
}

export function lines(violations: readonly Violation[]): readonly string[] {
  return violations.map(
    ({ severity, origin, field, message }) => `${placeOf(origin)} ${severity} ${field}: ${message}`,
  );
}
