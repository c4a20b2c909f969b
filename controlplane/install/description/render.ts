// Consumes: a description, values, and the namespace it is for.
// Produces: objects of Kubernetes.
// Never does: know what they are for.
import { isJsonObject } from "../../model/json-object.ts";
import { ScrimError } from "../../model/failure.ts";
import {
  type Condition,
  type Description,
  Each,
  ISTIO_NAMESPACE,
  JsonText,
  piecesOf,
  SPREAD,
  When,
} from "./description.ts";

/** What a description's names stand for. */
export interface Scope {
  readonly values: Readonly<Record<string, unknown>>;
  readonly namespace: string;
  /** What lists are gone through by. */
  readonly locals?: Readonly<Record<string, unknown>>;
}

/** An object of Kubernetes. */
export type KubernetesObject = Readonly<Record<string, unknown>> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
};

/** Returns the objects that are described, in their order. */
export function renderObjects(descriptions: readonly Description[], scope: Scope): readonly KubernetesObject[] {
  return renderList(descriptions, scope) as readonly KubernetesObject[];
}

function render(description: Description, scope: Scope): unknown {
  if (typeof description === "string") return renderText(description, scope);
  if (typeof description !== "object") return description;
  if (Array.isArray(description)) return renderList(description as readonly Description[], scope);
  if (description instanceof JsonText) return jsonOf(description.paths, scope);
  if (description instanceof When || description instanceof Each) throw unplaced();
  return renderMap(description as Readonly<Record<string, Description>>, scope);
}

function unplaced(): ScrimError {
  return new ScrimError("description", "a condition or a loop stands where nothing can be left out");
}

function renderList(items: readonly Description[], scope: Scope): readonly unknown[] {
  return items.flatMap((item): readonly unknown[] => {
    if (item instanceof When) return holds(item.condition, scope) ? renderList([item.then], scope) : [];
    if (!(item instanceof Each)) return [render(item, scope)];
    return entriesOf(valueAt(item.path, scope)).flatMap((entry) => {
      const locals = Object.fromEntries(item.names.map((name, index) => [name, entry[index]]));
      return renderList([item.body], { ...scope, locals: { ...scope.locals, ...locals } });
    });
  });
}

function entriesOf(value: unknown): readonly (readonly unknown[])[] {
  if (Array.isArray(value)) return value.map((entry: unknown) => [entry]);
  return isJsonObject(value) ? Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)) : [];
}

function renderMap(fields: Readonly<Record<string, Description>>, scope: Scope): Readonly<Record<string, unknown>> {
  const own = Object.entries(fields).flatMap(([name, field]) => {
    if (name === SPREAD) return [];
    if (!(field instanceof When)) return [[name, render(field, scope)] as const];
    return holds(field.condition, scope) ? [[name, render(field.then, scope)] as const] : [];
  });
  const spread = fields[SPREAD];
  const more = spread === undefined ? {} : render(spread, scope);
  return { ...(isJsonObject(more) ? more : {}), ...Object.fromEntries(own) };
}

function renderText(text: string, scope: Scope): unknown {
  const pieces = piecesOf(text);
  const [only] = pieces;
  if (pieces.length === 1 && only?.kind === "value") {
    const value = valueAt(only.path, scope);
    return only.otherwise !== undefined && isEmpty(value) ? only.otherwise : value;
  }
  return pieces
    .map((piece) => {
      if (piece.kind === "literal") return piece.text;
      const value = valueAt(piece.path, scope);
      if (piece.kind === "dashed") return isLeftOut(piece.path, value) ? "" : `-${String(value)}`;
      return String(piece.otherwise !== undefined && isEmpty(value) ? piece.otherwise : value);
    })
    .join("");
}

function isLeftOut(path: string, value: unknown): boolean {
  return isEmpty(value) || (path === "namespace" && value === ISTIO_NAMESPACE);
}

function valueAt(path: string, { values, namespace, locals = {} }: Scope): unknown {
  if (path === "namespace") return namespace;
  if (Object.hasOwn(locals, path)) return locals[path];
  const value = path
    .split(".")
    .reduce(
      (inner: unknown, name) => (isJsonObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
      values,
    );
  if (value === undefined) throw new ScrimError("description", `there is no value ${path}`);
  return value;
}

function holds(condition: Condition, scope: Scope): boolean {
  if (typeof condition === "string") return !isEmpty(valueAt(condition, scope));
  if ("not" in condition) return !holds(condition.not, scope);
  if ("equals" in condition) return valueAt(condition.equals[0], scope) === condition.equals[1];
  return condition.both.every((each) => holds(each, scope));
}

/** As Go's templates see it. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) ? Object.keys(value).length === 0 : !value;
}

function jsonOf(paths: JsonText["paths"], scope: Scope): string {
  const value =
    typeof paths === "string"
      ? valueAt(paths, scope)
      : Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, valueAt(path, scope)]));
  return goJson(value);
}

/** Returns JSON as Helm's toPrettyJson writes it: names sorted, and no character that means something in HTML. */
function goJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  return JSON.stringify(sorted(value), undefined, 2).replaceAll(/[<>&]/g, (character) => escapes[character] ?? "");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}
