// For tests of this folder: what is said of an object with these fields.
import { expect, it } from "vitest";
import { kindDefinitions, type Kind } from "../../model/kinds.ts";
import { parseFile } from "../../source/files/parse-file.ts";
import { validateDocument } from "../document.ts";

/** Returns what validation says about an object with these fields beside its head, as `field: message`. */
export function faults(
  kind: Kind,
  fields: string,
  severity = "error",
  name = "x",
  namespace = "default",
): readonly string[] {
  const head = `apiVersion: "${kindDefinitions[kind].apiVersions[0]}", kind: ${kind}`;
  const text = `{${head}, metadata: {name: ${name}, namespace: ${namespace}}, ${fields}}`;
  const { documents, problems } = parseFile(text, "f.yaml");
  expect(problems).toEqual([]);
  const document = documents[0];
  if (document === undefined) throw new Error("no document");
  const result = validateDocument(document, { strict: false });
  return result.violations
    .filter((violation) => violation.severity === severity)
    .map(({ field, message }) => `${field.replace(/^spec\./, "")}: ${message}`);
}

/** Each case: kind, spec in flow YAML, a part of what must be said (first: the field). */
export function refuses(cases: readonly (readonly [Kind, string, string])[]): void {
  it.each(cases)("%s %s", (kind, spec, expected) => {
    expect(faults(kind, `spec: ${spec}`).join("\n")).toContain(expected);
  });
}

/** The same of what is accepted with a warning. */
export function warns(cases: readonly (readonly [Kind, string, string])[]): void {
  it.each(cases)("%s %s", (kind, spec, expected) => {
    expect(faults(kind, `spec: ${spec}`)).toEqual([]);
    expect(faults(kind, `spec: ${spec}`, "warning").join("\n")).toContain(expected);
  });
}

export function accepts(cases: readonly (readonly [Kind, string])[]): void {
  it.each(cases)("%s %s", (kind, spec) => {
    expect(faults(kind, `spec: ${spec}`)).toEqual([]);
  });
}
