// Documents of a mesh with one text replaced by another that somebody may stumble over: every text of every kind, also
// those of the mesh's settings, which are a document within a document.
import { parse, stringify } from "yaml";
import { allKinds, isKind } from "../../controlplane/model/kinds.ts";
import {
  fieldKey,
  fieldsOf,
  type Holder,
  isMarked,
  pathText,
  type Schema,
  schemaOf,
} from "../structure/schema-fields.ts";

/** Texts that Envoy, or what reads them before, is known to refuse somewhere. */
export const HOSTILE = [
  ...["\n", "a\nb", "\u0001", "%", "%NODE_ZONE%", "(", "[", "{*}", "\\9", "a b", "é", "*", "..", "|", "", " "],
  ...["9999999999999s", "1.2.3.4/99", "::1", "70000", "x".repeat(5_000), "/nowhere/file.pem"],
  // The control plane's own parser takes this escape, Envoy's does not.
  "b'\\u00e9' == request.headers['x']",
];

export type Path = readonly (string | number)[];
export type Value = Readonly<Record<string, unknown>>;

/** Where a text of a document within a document begins. */
const INSIDE = "\0inside";

/** Returns the places of all texts of a document, but for what says which one it is. */
export function* textsIn(document: unknown, path: Path = []): Generator<Path> {
  if (typeof document === "string") {
    if (!isSettings(path, document)) yield path;
    else for (const inner of textsIn(parse(document) as unknown)) yield [...path, INSIDE, ...inner];
  } else if (typeof document === "object" && document !== null)
    for (const [key, inner] of Object.entries(document)) {
      const isName = path.length === 0 && (key === "kind" || key === "apiVersion");
      const isIdentity = path[0] === "metadata" && path.length === 1 && (key === "name" || key === "namespace");
      if (!isName && !isIdentity) yield* textsIn(inner, [...path, Array.isArray(document) ? Number(key) : key]);
    }
}

/** The mesh's settings in their ConfigMap. */
function isSettings(path: Path, text: string): boolean {
  return path.join(".") === "data.mesh" && text.includes(":");
}

/** Returns the document with the text at a place changed. */
export function withText(document: Value, path: Path, change: (text: string) => string): Value {
  const inside = path.indexOf(INSIDE);
  if (inside >= 0)
    return withText(document, path.slice(0, inside), (text) =>
      stringify(withText(parse(text) as Value, path.slice(inside + 1), change)),
    );
  const copy = structuredClone(document);
  let at = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  const last = path.at(-1)!;
  at[last] = change(String(at[last]));
  return copy;
}

/** Returns the name of a text's field: what is written by a key of one's own (a label's) is one field, whatever the key. */
export function fieldOf(document: Value, path: Path): string {
  const steps = path.map((step, at) => {
    if (typeof step === "number") return "[]";
    return MAPS.has(String(path[at - 1])) ? "{}" : step;
  });
  return [document["kind"], ...steps].join(".");
}
const MAPS: ReadonlySet<string> = new Set(["labels", "matchLabels", "selector", "data", "stringData"]);

/** Returns a hostile text as a test's title has it. */
export function nameOf(text: string): string {
  return JSON.stringify(text).slice(0, 30);
}

/** Returns namespace and name of a document. */
export function identityOf({ kind, metadata }: Value): [namespace: string, name: string] {
  const { namespace = kind === "Namespace" ? "" : "default", name = "" } = (metadata ?? {}) as Record<string, string>;
  return [namespace, name];
}

/** Returns every text field of every kind's schema, and of the mesh's settings, by its key: `Kind.path`. */
export function textFields(): ReadonlyMap<string, string> {
  const holders: readonly Holder[] = [...allKinds, "MeshConfig"];
  return new Map(
    holders.flatMap((holder) =>
      fieldsOf(schemaOf(holder))
        .filter(({ schema }) => !isMarked(schema) && isText(schema))
        .map(({ key, path }) => [key, `${holder}.${pathText(path)}`] as const),
    ),
  );
}

/** A text, a list of texts or a map of texts. */
function isText(schema: Schema): boolean {
  const inner = schema.items ?? Object.values(schema.patternProperties ?? {})[0] ?? schema;
  return inner.type === "string" && inner.enum === undefined;
}

/** Returns the key of the field that a place of a document is, as `textFields` has it; undefined outside of schemas. */
export function keyOfField(document: Value, path: Path): string | undefined {
  const inside = path.indexOf(INSIDE);
  const { kind } = document;
  if (typeof kind !== "string" || !isKind(kind)) return undefined;
  const holder: Holder = inside >= 0 ? "MeshConfig" : kind;
  const own = inside >= 0 ? path.slice(inside + 1) : path[0] === "spec" ? path.slice(1) : path;
  let schema: Schema | undefined = schemaOf(holder);
  let key: string | undefined;
  for (const step of own) {
    const around: Schema | undefined = schema;
    if (around === undefined) return undefined;
    if (typeof step === "number") schema = around.items;
    else if (around.properties?.[step] !== undefined) {
      schema = around.properties[step];
      key = fieldKey(around, step);
    } else schema = Object.values(around.patternProperties ?? {})[0];
  }
  return schema === undefined ? undefined : key;
}
