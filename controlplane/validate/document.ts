// Consumes: one document of a source.
// Produces: the accepted, frozen object with its warnings, or every violation with its origin and field.
// Never does: look at other objects, touch a file, or change the document.
import { allKinds, isKind, type Kind, type KindDefinition, kindDefinitions } from "../model/kinds.ts";
import type { FieldPath, SourceDocument } from "../model/document.ts";
import { type MeshObject, objectKey, type ObjectRef } from "../model/object.ts";
import { rewriteDestinationRuleAliases } from "./aliases.ts";
import { quote } from "./formats.ts";
import { checkKind } from "./kind-checks.ts";
import { readMetadata } from "./metadata.ts";
import { istioKindsNotYet, replacedKinds, unrelatedKinds } from "./other-kinds.ts";
import { checkShape } from "./shape.ts";
import { didYouMean } from "./suggest.ts";
import { type Findings, findingsOf, type Relocation, type Violation } from "./violation.ts";

/** What could be read of the object a refused document is about. */
export type PartialRef = { readonly [Key in keyof ObjectRef]?: ObjectRef[Key] | undefined };

/** What a document turned out to be. */
export type Validated =
  | { readonly kind: "accepted"; readonly object: MeshObject; readonly violations: readonly Violation[] }
  | { readonly kind: "refused"; readonly about: PartialRef; readonly violations: readonly Violation[] }
  /** A kind that does not concern the mesh, or not yet. */
  | { readonly kind: "ignored"; readonly violations: readonly Violation[] };

/** How strictly documents are judged. */
export interface ValidationOptions {
  /** Deprecated aliases are errors instead of warnings. */
  readonly strict: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns the object of a document if nothing is wrong with it, else all that is wrong. Never throws. */
export function validateDocument(document: SourceDocument, options: ValidationOptions): Validated {
  const value = document.value;
  if (isForeignJson(document)) {
    const findings = findingsOf(document, "");
    findings.warn([], "has neither apiVersion nor kind: ignored, as JSON of another program");
    return { kind: "ignored", violations: findings.violations };
  }
  if (!isFields(value)) return refused(document, {}, "must be a map with apiVersion, kind and metadata");
  const head = readHead(value, document);
  return typeof head === "string" ? validateObject(document, value, head, options) : head;
}

/** Programs keep JSON of their own beside a mesh's YAML; YAML without a kind is more likely a mistake. */
function isForeignJson(document: SourceDocument): boolean {
  const { value } = document;
  if (isFields(value) && ("apiVersion" in value || "kind" in value)) return false;
  const origin = document.locate([]);
  return origin.kind === "file" && origin.path.toLowerCase().endsWith(".json");
}

function refused(document: SourceDocument, about: PartialRef, message: string, path: FieldPath = []): Validated {
  const findings = findingsOf(document, partialKey(about));
  findings.error(path, message);
  return { kind: "refused", about, violations: findings.violations };
}

function partialKey(about: PartialRef & { readonly kind?: string | undefined }): string {
  if (about.kind === undefined && about.name === undefined) return "";
  return [about.kind ?? "?", ...(about.namespace === "" ? [] : [about.namespace ?? "?"]), about.name ?? "?"].join("/");
}

/** Returns the kind if it is one of ours in a version we serve, else what to say about it. */
function readHead(value: Fields, document: SourceDocument): Kind | Validated {
  const { kind, apiVersion } = value;
  const about = namesIn(value);
  if (typeof kind !== "string" || kind === "")
    return refused(
      document,
      about,
      kind === undefined ? "is required" : `must be the name of a kind, not ${quote(kind)}`,
      ["kind"],
    );
  const known = isKind(kind);
  const aboutKind = known ? { ...about, kind } : about;
  if (typeof apiVersion !== "string" || apiVersion === "")
    return refused(document, aboutKind, "is required", ["apiVersion"]);
  const group = groupOf(apiVersion);
  const ours = known ? kindDefinitions[kind].apiVersions : [];
  if (known && ours.includes(apiVersion)) return kind;
  if (known && ours.some((version) => groupOf(version) === group)) {
    return refused(document, aboutKind, `${quote(apiVersion)} is no version of ${kind}: write ${ours.join(" or ")}`, [
      "apiVersion",
    ]);
  }
  return otherKind(document, kind, apiVersion, about);
}

function otherKind(document: SourceDocument, kind: string, apiVersion: string, about: PartialRef): Validated {
  const findings = findingsOf(document, `${kind}/${about.namespace ?? "?"}/${about.name ?? "?"}`);
  const group = groupOf(apiVersion);
  if (istioKindsNotYet.has(kind) || group === "gateway.networking.k8s.io") {
    findings.error(["kind"], `kind ${kind} (${apiVersion}) is not supported yet`);
    return { kind: "ignored", violations: findings.violations };
  }
  const instead = replacedKinds.get(kind);
  if (instead !== undefined) {
    findings.warn(["kind"], `kind ${kind} (${apiVersion}) is not supported yet and has no effect: ${instead}`);
    return { kind: "ignored", violations: findings.violations };
  }
  if (unrelatedKinds.has(kind)) {
    findings.warn(["kind"], `kind ${kind} (${apiVersion}) has no meaning for the mesh and is ignored`);
    return { kind: "ignored", violations: findings.violations };
  }
  if (isKind(kind)) {
    findings.error(
      ["apiVersion"],
      `kind ${kind} of ${quote(apiVersion)} is not known: write ${kindDefinitions[kind].apiVersions.join(" or ")}`,
    );
    return { kind: "refused", about: { ...about, kind }, violations: findings.violations };
  }
  findings.error(
    ["kind"],
    `unknown kind ${quote(kind)} (${apiVersion})${didYouMean(kind, [...allKinds, ...istioKindsNotYet])}`,
  );
  return { kind: "refused", about, violations: findings.violations };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Returns name and namespace as far as they are there, without judging them. */
function namesIn(value: Fields): PartialRef {
  const metadata = value["metadata"];
  if (!isFields(metadata)) return {};
  const { name, namespace } = metadata;
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    namespace: typeof namespace === "string" && namespace !== "" ? namespace : "default",
  };
}

function validateObject(document: SourceDocument, value: Fields, kind: Kind, options: ValidationOptions): Validated {
  const definition = kindDefinitions[kind];
  const about: PartialRef = { ...namesIn(value), kind, ...(definition.clusterScoped && { namespace: "" }) };
  const payload = payloadOf(value, definition);
  const rewritten =
    kind === "DestinationRule"
      ? rewriteDestinationRuleAliases(payload.value, payload.at)
      : { spec: payload.value, uses: [], relocations: [] };
  const findings = findingsOf(document, partialKey(about), rewritten.relocations as readonly Relocation[]);
  for (const use of rewritten.uses) findings[options.strict || use.conflict ? "error" : "warn"](use.path, use.message);
  checkTopLevel(value, kind, definition, findings);
  const metadata = readMetadata(value["metadata"], kind, findings);
  const spec = checkShape(definition.schema, rewritten.spec, payload.at, findings);
  if (isFields(spec))
    checkKind(kind, spec, payload.at, findings, {
      name: about.name ?? "",
      namespace: about.namespace ?? "",
      labels: metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      isOfCluster: document.locate([]).kind === "kubernetes",
    });
  if (metadata === undefined || findings.violations.some((violation) => violation.severity === "error")) {
    return {
      kind: "refused",
      about: metadata === undefined ? { ...about, name: undefined } : about,
      violations: findings.violations,
    };
  }
  // The shape was checked against this kind's schema, from which SpecOf<K> is derived.
  const object = {
    kind,
    apiVersion: String(value["apiVersion"]),
    metadata: deepFreeze(metadata),
    spec: deepFreeze(spec),
    origin: document.locate([]),
  } as MeshObject;
  return { kind: "accepted", object: Object.freeze(object), violations: findings.violations };
}

/** Returns the part of the document that the kind's schema describes, and where it stands. */
function payloadOf(value: Fields, definition: KindDefinition): { readonly value: unknown; readonly at: FieldPath } {
  if (definition.payload === "top") {
    return {
      value: Object.fromEntries(
        Object.entries(value).filter(([name]) => !["apiVersion", "kind", "metadata"].includes(name)),
      ),
      at: [],
    };
  }
  const spec = value["spec"] ?? {};
  const status = value["status"];
  if (definition.payload === "spec" || status === undefined || !isFields(spec)) return { value: spec, at: ["spec"] };
  return { value: { ...spec, status }, at: ["spec"] };
}

function checkTopLevel(value: Fields, kind: Kind, definition: KindDefinition, findings: Findings): void {
  if (definition.payload === "top") return;
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const misplaced = Object.hasOwn(definition.schema.properties, name);
    findings.error(
      [name],
      misplaced
        ? `${quote(name)} belongs under spec of ${kind}`
        : `unknown field ${quote(name)}${didYouMean(name, known)}`,
    );
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the key of what a refused document is about, if enough of it could be read. */
export function completeRef(about: PartialRef): string | undefined {
  const { kind, namespace, name } = about;
  return kind === undefined || namespace === undefined || name === undefined
    ? undefined
    : objectKey({ kind, namespace, name });
}
