// The fields of the kinds' schemas, as the tests of this folder walk over them.
import { type Kind, kindDefinitions } from "../../controlplane/model/kinds.ts";
import { meshConfigSchema } from "../../controlplane/model/kinds/mesh-config.ts";

/** The words of model/schema.ts that are looked at here. */
export interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly "x-not-yet"?: true;
  readonly "x-no-effect"?: true | string;
  readonly "x-values-not-yet"?: readonly string[];
  readonly "x-one-of"?: readonly string[];
}

/** Every kind of which somebody reads a field; the mesh's settings, a document within a ConfigMap, as one more. */
export type Holder = Kind | "MeshConfig";

/** Returns the schema of a kind's payload. */
export function schemaOf(holder: Holder): Schema {
  return (holder === "MeshConfig" ? meshConfigSchema : kindDefinitions[holder].schema) as Schema;
}

/** Of such a field it is told where it is used that nobody obeys it. */
export function isMarked(schema: Schema): boolean {
  return schema["x-not-yet"] !== undefined || schema["x-no-effect"] !== undefined;
}

/** A field by its name and its neighbours': the same part of a schema stands in several places. */
export function fieldKey(schema: Schema, name: string): string {
  return `${Object.keys(schema.properties ?? {}).join()} ${name}`;
}

/** A field of a schema: the names that lead to it, where `[]` are items and `*` the entries of a map. */
export interface SchemaField {
  readonly key: string;
  readonly path: readonly string[];
  readonly schema: Schema;
}

/** Returns every field below a schema; what is below a marked one is not there. */
export function fieldsOf(schema: Schema, path: readonly string[] = []): readonly SchemaField[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    { key: fieldKey(schema, name), path: [...path, name], schema: inner },
    ...(isMarked(inner) ? [] : fieldsOf(inner, [...path, name])),
  ]);
  const entries = Object.values(schema.patternProperties ?? {}).flatMap((inner) => fieldsOf(inner, [...path, "*"]));
  return [...own, ...entries, ...(schema.items ? fieldsOf(schema.items, [...path, "[]"]) : [])];
}

/** Returns how people write the path: `http[].match[].headers.*`. */
export function pathText(path: readonly string[]): string {
  return path.reduce((text, name) => (name === "[]" ? `${text}[]` : text === "" ? name : `${text}.${name}`), "");
}
