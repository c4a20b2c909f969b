// The words that an installation is described in, once, for the CLI and for the Helm charts: objects of Kubernetes in
// which texts name values, `{pilot.replicaCount}`, and parts are there on conditions. `render.ts` makes objects of a
// description and values, `helm-template.ts` makes a template of it.

/**
 * A text may hold `{path}` (a value; the namespace as `{namespace}`), `{path|text}` (that text where it is empty)
 * and `{-path}` (nothing where it is empty, else the value behind a dash; no `{-namespace}` in `istio-system`). A text
 * that is nothing but `{path}` becomes the value itself, of whatever type.
 */
export type Description =
  | string
  | number
  | boolean
  | readonly Description[]
  | { readonly [field: string]: Description }
  | When
  | Each
  | JsonText;

/** Where Istio is: names say another namespace only. */
export const ISTIO_NAMESPACE = "istio-system";

/** There or not; in a map the field, in a list the item, else the object. */
export class When {
  constructor(
    readonly condition: Condition,
    readonly then: Description,
  ) {}
}

/** Once for each entry of a list, which `{name}` stands for, or of a map, where `names` mean its key and its value. */
export class Each {
  constructor(
    readonly path: string,
    readonly names: readonly string[],
    readonly body: Description,
  ) {}
}

/** A text that is JSON: of a value, or of an object whose fields are values. */
export class JsonText {
  constructor(readonly paths: string | Readonly<Record<string, string>>) {}
}

/** A path: the value there is not empty (as Go's templates see it: not "", 0, false, nor without entries). */
export type Condition =
  | string
  | { readonly not: Condition }
  | { readonly equals: readonly [path: string, text: string] }
  | { readonly both: readonly [Condition, Condition] };

/** The field whose value is a map that is put among the others; what stands there already wins. */
export const SPREAD = "...";

export function when(condition: Condition, then: Description): When {
  return new When(condition, then);
}

export function unless(condition: Condition, then: Description): When {
  return new When({ not: condition }, then);
}

export function each(path: string, name: string, body: Description): Each {
  return new Each(path, [name], body);
}

/** Its entries come by the order of their names. */
export function eachEntry(path: string, key: string, value: string, body: Description): Each {
  return new Each(path, [key, value], body);
}

export function jsonText(paths: JsonText["paths"]): JsonText {
  return new JsonText(paths);
}

/** A piece of a text. */
export type Piece =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "value"; readonly path: string; readonly otherwise: string | undefined }
  | { readonly kind: "dashed"; readonly path: string };

/** Returns what a text consists of. */
export function piecesOf(text: string): readonly Piece[] {
  return text
    .split(/(\{[^}]*\})/)
    .filter((part) => part !== "")
    .map((part): Piece => {
      const [, dash, path = "", otherwise] = /^\{(-?)([^|}]*)(?:\|([^}]*))?\}$/.exec(part) ?? [];
      if (path === "") return { kind: "literal", text: part };
      return dash === "-" ? { kind: "dashed", path } : { kind: "value", path, otherwise };
    });
}
