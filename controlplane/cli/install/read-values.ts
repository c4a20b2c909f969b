// Consumes: `-f` and `--set`, in our names or Istio's.
// Produces: our values, and what is ignored, each with file and line.
// Never does: judge the values: the installation does.
import { readFile } from "node:fs/promises";
import { formatPath, type FieldPath, type SourceDocument } from "../../model/document.ts";
import { isFailed } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";
import { describeOrigin } from "../../model/origin.ts";
import { type Translated, translateOperator } from "../../install/operator/translate-operator.ts";
import { assign, parseAssignment } from "../../install/values/assignment.ts";
import { mergeValues, type Values } from "../../install/values/words.ts";
import { parseFile } from "../../source/files/parse-file.ts";
import { commandFailure } from "../exit-codes.ts";
import type { ValuesOptions } from "./options.ts";

/** Resolves to the values; `warn` is told of what has no meaning here. Throws CommandFailure. */
export async function readValues({ filename, set }: ValuesOptions, warn: (line: string) => void): Promise<Values> {
  let values: Values = {};
  for (const file of filename)
    for (const document of await documentsOf(file)) values = mergeValues(values, valuesOf(document, warn));
  return mergeValues(values, assignedBy(set, warn));
}

async function documentsOf(file: string): Promise<readonly SourceDocument[]> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw commandFailure("usage", `${file} cannot be read: ${error.message}`, { cause: error });
  });
  const { documents, problems } = parseFile(text, file);
  const [problem] = problems;
  if (problem !== undefined) throw commandFailure("invalid", `${describeOrigin(problem.origin)}: ${problem.message}`);
  return documents;
}

function valuesOf(document: SourceDocument, warn: (line: string) => void): Values {
  const { value, locate } = document;
  const place = (path: FieldPath) => describeOrigin(locate(path), "line");
  if (!isJsonObject(value)) throw commandFailure("invalid", `${place([])}: must be a map of values`);
  const { apiVersion, kind, spec } = value;
  if (apiVersion === undefined && kind === undefined) {
    const translated = translateOperator(value);
    say(translated, (path) => `${place(path)}: ${formatPath(path)}`, warn);
    return translated.values;
  }
  if (kind !== "IstioOperator")
    throw commandFailure("invalid", `${place(["kind"])}: neither values nor an IstioOperator, but ${String(kind)}`);
  const translated = translateOperator(isJsonObject(spec) ? spec : {});
  for (const path of translated.ignored)
    warn(`${place(["spec", ...path])}: ${formatPath(["spec", ...path])} has no meaning here and is ignored`);
  return translated.values;
}

function assignedBy(set: readonly string[], warn: (line: string) => void): Values {
  const given = set.reduce<Values>((values, text) => {
    const assignment = parseAssignment(text);
    if (isFailed(assignment)) throw commandFailure("usage", assignment.message);
    return assign(values, assignment);
  }, {});
  const translated = translateOperator(given);
  say(translated, (path) => `--set ${formatPath(path)}`, warn);
  return translated.values;
}

/** Istio has many settings that mean nothing here; in our own names such a path is a mistake. */
function say({ ignored }: Translated, describe: (path: FieldPath) => string, warn: (line: string) => void): void {
  for (const path of ignored) {
    if (path[0] !== "values" && path[0] !== "components")
      throw commandFailure("invalid", `${describe(path)}: there is no such value.`);
    warn(`${describe(path)} has no meaning here and is ignored`);
  }
}
