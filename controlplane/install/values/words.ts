// The words in which values are written down: JSON Schema with a default and a description for each.
import { type TObject, type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { isJsonObject } from "../../model/json-object.ts";

/** Values by name; others than these are refused. */
export function values<P extends TProperties>(description: string, properties: P): TObject<P> {
  return Type.Object(properties, { description, additionalProperties: false });
}

const TEXT = '^[^\\s"\\\\{}]*$';
const NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const NAME_OR_NONE = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$";

/** What a text is to be that does not match a pattern: a clause for people. */
export const patternWords: Readonly<Record<string, string>> = {
  [TEXT]: "must be without white space, quotes, backslashes and braces",
  [NAME]: "must be of lower-case letters, digits and hyphens between them, as in canary-1",
  [NAME_OR_NONE]: "must be of lower-case letters, digits and hyphens between them, as in canary-1",
};

/** A text that may stand within others: in names, images and arguments. */
export function text(description: string, otherwise = "") {
  return Type.String({ description, default: otherwise, pattern: TEXT });
}

/** What names of objects are made of. */
export function nameText(description: string, otherwise = "") {
  return Type.String({ description, default: otherwise, pattern: NAME_OR_NONE });
}

export function oneOf<const V extends readonly string[]>(description: string, choices: V, otherwise: V[number]) {
  return Type.Unsafe<V[number]>({ type: "string", enum: choices, description, default: otherwise });
}

export function count(description: string, otherwise: number, minimum = 0) {
  return Type.Integer({ description, default: otherwise, minimum });
}

export function flag(description: string, otherwise: boolean) {
  return Type.Boolean({ description, default: otherwise });
}

export function texts(description: string, otherwise: readonly string[] = []) {
  return Type.Array(Type.String(), { description, default: otherwise });
}

export function names(description: string) {
  return Type.Array(Type.String({ pattern: NAME }), { description, default: [] });
}

/** A list of what Kubernetes describes. */
export function objects(description: string, otherwise: readonly object[] = []) {
  return Type.Array(Type.Record(Type.String(), Type.Unknown()), { description, default: otherwise });
}

/** What Kubernetes describes, or Istio. */
export function object(description: string, otherwise: Readonly<Record<string, unknown>> = {}) {
  return Type.Record(Type.String(), Type.Unknown(), { description, default: otherwise });
}

export function labels(description: string, otherwise: Readonly<Record<string, string>> = {}) {
  return Type.Record(Type.String(), Type.String(), { description, default: otherwise });
}

export type Values = Readonly<Record<string, unknown>>;

/** Returns the values as they are unless somebody says otherwise. */
export function defaultsOf(schema: TSchema): Values {
  const properties = schema["properties"] as Readonly<Record<string, TSchema>>;
  return Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [
      name,
      inner["default"] === undefined && inner["properties"] ? defaultsOf(inner) : inner["default"],
    ]),
  );
}

/** Returns the values with others over them: maps are put together, all else is replaced. */
export function mergeValues(values: Values, over: Values): Values {
  const merged = Object.entries(over).map(([name, value]) => {
    const below = values[name];
    return [name, isJsonObject(below) && isJsonObject(value) ? mergeValues(below, value) : value] as const;
  });
  return { ...values, ...Object.fromEntries(merged) };
}
