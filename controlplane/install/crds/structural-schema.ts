// Consumes: a schema of model/schema.ts.
// Produces: what the API server checks by, a structural schema
// (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/).
// Never does: refuse what Scrim itself only warns of, or refuses with a reason of its own: the webhook says that.
import { MAX_ENTRIES, type SchemaWords } from "../../model/schema.ts";
import { describeField } from "./descriptions/describe-field.ts";
import { deprecatedFields } from "./deprecated-fields.ts";
import { exclusiveFields } from "./exclusive-fields.ts";

/** An OpenAPI schema as Kubernetes takes it. */
export type StructuralSchema = Readonly<Record<string, unknown>>;

/** Where a schema stands. */
interface Place {
  /** The kind and the fields that lead here. */
  readonly path: readonly string[];
  /** How many such values an object holds at most. */
  readonly count: number;
}

/** Returns the structural schema of a kind's payload. */
export function structuralSchema(kind: string, schema: object): StructuralSchema {
  return described(schema, { path: [kind], count: 1 });
}

function described(schema: SchemaWords, place: Place): StructuralSchema {
  const description = [describeField(place.path), ...marksOf(schema)].filter((text) => text !== undefined).join(" ");
  return { ...(description !== "" && { description }), ...shapeOf(schema, place) };
}

/** What of a field is not obeyed. */
function marksOf(schema: SchemaWords): readonly string[] {
  const { "x-not-yet": refused, "x-no-effect": effect, "x-values-not-yet": values = [] } = schema;
  return [
    ...(refused ? ["Not supported yet: an object that uses it is refused."] : []),
    ...(effect === true ? ["Not supported yet: it has no effect."] : []),
    ...(typeof effect === "string" ? [`It has no effect: ${effect}.`] : []),
    ...(values.length > 0 ? [`Not supported yet: ${values.join(", ")}.`] : []),
  ];
}

function shapeOf(schema: SchemaWords, place: Place): StructuralSchema {
  if (schema["x-int-or-string"]) return { "x-kubernetes-int-or-string": true };
  switch (schema.type) {
    case "object":
      return schema.patternProperties ? mapSchema(schema, place) : objectSchema(schema, place);
    case "array":
      return listSchema(schema, place);
    case "string":
      return schema.enum ? choiceSchema(schema, schema.enum) : textSchema(schema);
    case "integer":
    case "number":
      return { type: schema.type, ...given(schema, "minimum"), ...given(schema, "maximum") };
    case "boolean":
      return { type: "boolean" };
    default:
      return { "x-kubernetes-preserve-unknown-fields": true };
  }
}

function objectSchema(schema: SchemaWords, { path, count }: Place): StructuralSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, inner]) => [
    name,
    described(inner, { path: [...path, name], count }),
  ]);
  const { "x-one-of": one, "x-at-most-one-of": atMostOne } = schema;
  const names = one ?? atMostOne;
  return {
    type: "object",
    ...given(schema, "minProperties"),
    ...(schema.additionalProperties === true && { "x-kubernetes-preserve-unknown-fields": true }),
    ...(schema.required && schema.required.length > 0 && { required: schema.required }),
    properties: { ...Object.fromEntries(properties), ...deprecatedFields(path) },
    ...(names && exclusiveFields(names, one !== undefined, count)),
  };
}

function mapSchema(schema: SchemaWords, { path, count }: Place): StructuralSchema {
  if (schema["x-struct"]) return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const [values = {}] = Object.values(schema.patternProperties ?? {});
  return {
    type: "object",
    maxProperties: MAX_ENTRIES,
    additionalProperties: shapeOf(values, { path, count: count * MAX_ENTRIES }),
  };
}

function listSchema(schema: SchemaWords, { path, count }: Place): StructuralSchema {
  return {
    type: "array",
    ...given(schema, "minItems"),
    maxItems: MAX_ENTRIES,
    items: shapeOf(schema.items ?? {}, { path, count: count * MAX_ENTRIES }),
  };
}

function choiceSchema(schema: SchemaWords, values: readonly string[]): StructuralSchema {
  const all = [...values, ...(schema["x-values-not-yet"] ?? []), ...(schema["x-empty-is-unset"] ? [""] : [])];
  if (!schema["x-any-case"]) return { type: "string", enum: all };
  return { type: "string", pattern: `^(?i:${all.join("|")})$` };
}

/** Of the forms that a text can have, the API server knows that of a duration. */
function textSchema(schema: SchemaWords): StructuralSchema {
  const { format } = schema;
  return {
    type: "string",
    ...given(schema, "minLength"),
    ...given(schema, "maxLength"),
    ...(format === "duration" && { format }),
  };
}

function given(
  schema: SchemaWords,
  word: "minimum" | "maximum" | "minProperties" | "minItems" | "minLength" | "maxLength",
) {
  const value = schema[word];
  return value !== undefined && { [word]: value };
}
