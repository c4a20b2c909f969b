// The one door for programs outside the project that score it against Istio. Seven names whose meaning never changes:
// what moves or is renamed inside is put right here.
import { type Translation, translateProxy as translate } from "../controlplane/cli/translate-proxy.ts";
import type { SourceDocument } from "../controlplane/model/document.ts";
import { type ValidationOptions, validateDocument as validate } from "../controlplane/validate/document.ts";
import type { Violation } from "../controlplane/validate/violation.ts";

/** `parseFile(text, file)` → `{ documents: [{ value }], problems: [{ message }] }` of a YAML text. */
export { parseFile } from "../controlplane/source/files/parse-file.ts";
/** `loadText(text)` → `{ world, violations: [{ severity, object, field, message }] }` of a mesh in one YAML text. */
export { loadText } from "../controlplane/store/load.ts";
/** `loadBuiltinModules(directory)` → the filters' modules by name. */
export { loadBuiltinModules } from "../controlplane/wasm/builtin-modules.ts";
/** `toProto3Json(message name, message)` → the message in proto3 JSON. */
export { toProto3Json } from "../protos/codec.ts";
/** `runInHost(scenario, module)` → `{ kind: "ran", observations }`, or `{ kind: "refused", reason }`. */
export { runInHost } from "./host/scenario-host.ts";

/** What became of one document, and what is said of it. */
export interface JudgedDocument {
  readonly outcome: "accepted" | "refused" | "ignored";
  readonly violations: readonly Violation[];
}

/** Judges one document of `parseFile`. */
export function validateDocument(document: SourceDocument, options: ValidationOptions): JudgedDocument {
  const { kind: outcome, violations } = validate(document, options);
  return { outcome, violations };
}

/** What a proxy would be told: maps of Envoy messages by name, and notes; or why there is none. */
export type TranslatedProxy =
  | Extract<Translation, { kind: "translated" }>
  | { readonly kind: "refused"; readonly reason: string };

/** Translates a mesh for the proxy of `namespace/workload`. */
export function translateProxy(...args: Parameters<typeof translate>): TranslatedProxy {
  const made = translate(...args);
  return made.kind === "translated" ? made : { kind: "refused", reason: made.message };
}
