// The words in which the filters' configurations are described: JSON Schema through TypeBox. What is written in them
// is the type of a configuration for TypeScript; config.schema.json beside it, for everybody else, is made from it
// (config-schemas.test.ts).
import { type SchemaOptions, type Static, type TProperties, type TSchema, Type } from "@sinclair/typebox";

/** The dialect, for the `$schema` of a whole file. */
export const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** How a value that may hold wildcards is compared, for descriptions. */
export const WILDCARDS = "Exact, prefix (`abc*`), suffix (`*abc`) or any (`*`).";

/** Returns the schema of an object with exactly these fields. */
export function fields<P extends TProperties>(properties: P, keywords: SchemaOptions = {}) {
  return Type.Object(properties, { additionalProperties: false, ...keywords });
}

/** Marks a field as one that may be left out. */
export function opt<S extends TSchema>(schema: S) {
  return Type.Optional(schema);
}

/** A string. */
export function text(description?: string, keywords: SchemaOptions = {}) {
  return Type.String({ ...keywords, ...described(description) });
}

/** A string that is not empty. */
export function name(description?: string) {
  return text(description, { minLength: 1 });
}

/** A list of strings. */
export function texts(description?: string, keywords: SchemaOptions = {}) {
  return listOf(Type.String(), description, keywords);
}

/** A list. */
export function listOf<S extends TSchema>(items: S, description?: string, keywords: SchemaOptions = {}) {
  return Type.Array(items, { ...keywords, ...described(description) });
}

/** A map from any string. */
export function mapOf<S extends TSchema>(values: S, description?: string) {
  return Type.Unsafe<Record<string, Static<S>>>({
    type: "object",
    additionalProperties: values,
    ...described(description),
  });
}

/** A whole number within bounds. */
export function integer(minimum: number, maximum: number, description: string, keywords: SchemaOptions = {}) {
  return Type.Integer({ minimum, maximum, ...keywords, description });
}

/** true or false. */
export function flag(description?: string) {
  return Type.Boolean(described(description));
}

/** Exactly this value. */
export function only<const V extends string | true>(value: V, description?: string) {
  return Type.Unsafe<V>({ const: value, ...described(description) });
}

/** One of these strings. */
export function choice<const V extends readonly string[]>(
  values: V,
  description: string,
  keywords: SchemaOptions = {},
) {
  return Type.Unsafe<V[number]>({ enum: values, ...keywords, description });
}

/** What exactly one of these describes. */
export function oneOf<S extends TSchema[]>(schemas: [...S], description?: string) {
  return Type.Unsafe<Static<S[number]>>({ oneOf: schemas, ...described(description) });
}

/** What stands elsewhere, in this file (`#/$defs/…`) or in another. */
export function reference<S extends TSchema>(_to: S, at: string, description?: string) {
  return Type.Unsafe<Static<S>>({ $ref: at, ...described(description) });
}

function described(description: string | undefined): SchemaOptions {
  return description === undefined ? {} : { description };
}
