// Consumes: an object of the mesh that an API server is about to take.
// Produces: what is wrong with it, in the words that the command line has for it.
// Never does: look at other objects: two that do not fit together are both taken, and told afterwards.
import type { SourceDocument } from "../model/document.ts";
import { isJsonObject } from "../model/json-object.ts";
import { validateDocument } from "../validate/document.ts";
import type { Violation } from "../validate/violation.ts";
import { type Admission, admitNothing, type AdmissionRequest } from "./admission.ts";

/** Of an object that a server holds; what validation has no word for. */
const METADATA = ["name", "namespace", "labels", "annotations", "creationTimestamp", "generation"] as const;
/** Longer ones are cut by API servers. */
const LONGEST_WARNING = 250;

/** Returns what is said of an object that is created or changed. One that is on its way out goes, whatever it says. */
export function admitObject(request: AdmissionRequest): Admission {
  const { operation, namespace, object } = request;
  if (object === undefined || operation === "DELETE") return admitNothing(request);
  const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
  if (metadata["deletionTimestamp"] !== undefined) return { allowed: true };
  const { kind, violations } = validateDocument(documentOf(object, metadata, namespace), { strict: false });
  const said = (severity: Violation["severity"]) =>
    violations.filter((violation) => violation.severity === severity).map(sentence);
  const warnings = said("warning").map((warning) => warning.slice(0, LONGEST_WARNING));
  if (kind !== "refused") return { allowed: true, warnings: [...warnings, ...said("error")] };
  return { allowed: false, warnings, message: said("error").join("\n") };
}

/** As `scrim` prints it, without the place in a file that an object does not have. */
function sentence({ field, message }: Violation): string {
  return field === "" ? message : `${field}: ${message}`;
}

function documentOf(
  object: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>>,
  namespace: string,
): SourceDocument {
  const kept = Object.fromEntries(METADATA.flatMap((name) => (name in metadata ? [[name, metadata[name]]] : [])));
  // Of `kubectl create` with generateName: the server makes the name after it has asked us.
  const name = kept["name"] ?? `${String(metadata["generateName"] ?? "")}x`;
  const value = { ...object, metadata: { namespace, ...kept, name } };
  const key = `${String(object["kind"])}/${namespace}/${String(name)}`;
  return { value, locate: () => ({ kind: "kubernetes", object: key, uid: "", resourceVersion: "" }) };
}
