// The words our schemas are written in: JSON Schema through TypeBox, plus marks (`x-…`) for what protobuf JSON
// tolerates and for what Istio has and Scrim does not have yet.
import { type Static, type TObject, type TProperties, type TSchema, Type } from "@sinclair/typebox";

/** Makes every level readonly: accepted specs are frozen, so the type says so. */
export type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [P in keyof T]: Frozen<T[P]> }
    : T;

/** The TypeScript type of a spec whose schema is `S`. */
export type SpecFrom<S extends TSchema> = Frozen<Static<S>>;

/** Longest list or map: more is an attack or a mistake. */
export const MAX_ENTRIES = 10_000;

/** Marks on an object's schema. */
export interface FieldMarks {
  /** Of these fields exactly one must be set (a protobuf oneof that cannot be left out). */
  readonly oneOf?: readonly string[];
  /** Of these fields at most one may be set. */
  readonly atMostOneOf?: readonly string[];
  /** At least one field must be written. */
  readonly notEmpty?: boolean;
  /** Fields we do not know are dropped without a word (Kubernetes' own, large kinds). */
  readonly open?: boolean;
}

/** How schemas are read: the words that are written here, and no others. */
export interface SchemaWords {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaWords>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly patternProperties?: Readonly<Record<string, SchemaWords>>;
  readonly items?: SchemaWords;
  readonly minItems?: number;
  readonly minProperties?: number;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly "x-not-yet"?: boolean;
  readonly "x-values-not-yet"?: readonly string[];
  readonly "x-no-effect"?: boolean | string;
  readonly "x-one-of"?: readonly string[];
  readonly "x-at-most-one-of"?: readonly string[];
  readonly "x-min-ms"?: number;
  readonly "x-any-case"?: boolean;
  readonly "x-empty-is-unset"?: boolean;
  readonly "x-int-or-string"?: boolean;
  readonly "x-labels"?: boolean;
  readonly "x-struct"?: boolean;
}

/** Returns the schema of an object with exactly these fields. */
export function fields<P extends TProperties>(properties: P, marks: FieldMarks = {}): TObject<P> {
  return Type.Object(properties, {
    additionalProperties: marks.open === true,
    ...(marks.oneOf && { "x-one-of": marks.oneOf }),
    ...(marks.notEmpty && { minProperties: 1 }),
    ...(marks.atMostOneOf && { "x-at-most-one-of": marks.atMostOneOf }),
  });
}

/** Returns the schema of a Kubernetes object of which we read only these fields. */
export function openFields<P extends TProperties>(properties: P): TObject<P> {
  return fields(properties, { open: true });
}

/** Marks a field as one that may be left out. */
export function opt<S extends TSchema>(schema: S) {
  return Type.Optional(schema);
}

/**
 * Marks a field of the API that Scrim does not implement, and without which the object would mean something else: its
 * use is an error. Its value is checked all the same.
 */
export function notYet<S extends TSchema>(schema: S) {
  return Type.Optional({ ...schema, "x-not-yet": true });
}

/**
 * Marks a field of the API that Scrim does not implement, and that can safely be left out: its use is a warning. Its
 * value is checked all the same. `because` ends the sentence "has no effect: ".
 */
export function noEffect<S extends TSchema>(schema: S, because?: string) {
  return Type.Optional({ ...schema, "x-no-effect": because ?? true });
}

/** Anything at all, which nobody reads. */
export function anything() {
  return Type.Unknown();
}

/** A string; `minLength` 1 unless the empty string has a meaning. */
export function text() {
  return Type.String({ minLength: 1 });
}

/** A string that may be empty. */
export function anyText() {
  return Type.String();
}

/** What becomes a header's value, or a part of one: a text without line breaks. */
export function headerText(minLength = 0) {
  return Type.String({ format: "header-text", minLength });
}

/** A list. `minItems` only where Istio demands one. */
export function listOf<S extends TSchema>(items: S, minItems = 0) {
  return Type.Array(items, minItems > 0 ? { minItems } : {});
}

/** A map from any string. */
export function mapOf<S extends TSchema>(values: S) {
  return Type.Record(Type.String(), values);
}

/** A map of labels: strings to strings. */
export function labelMap() {
  return Type.Record(Type.String(), Type.String(), { "x-labels": true });
}

/** A protobuf JSON duration ("2s", "0.5s") or Go's style ("1m30s"), of at least `minMs` milliseconds. */
export function duration(minMs = 1) {
  return Type.String({ format: "duration", "x-min-ms": minMs });
}

/** A whole number; as protobuf JSON it may be written as a string of digits. */
export function integer(minimum = 0, maximum = 4_294_967_295) {
  return Type.Integer({ minimum, maximum });
}

/** A number with a fraction; as protobuf JSON it may be written as a string. */
export function number(minimum: number, maximum: number) {
  return Type.Number({ minimum, maximum });
}

/** A TCP port. */
export function port() {
  return Type.Integer({ minimum: 1, maximum: 65_535 });
}

/** true or false. */
export function flag() {
  return Type.Boolean();
}

/** A port number or the name of one, as Kubernetes' IntOrString. */
export function portOrName() {
  return Type.Union([Type.Integer(), Type.String()], { "x-int-or-string": true });
}

/** `HOST:PORT`, of a name or an address. */
export function hostAndPort() {
  return Type.String({ format: "host-port" });
}

/** A regular expression in RE2's syntax. */
export function regex() {
  return Type.String({ minLength: 1, maxLength: 1024, format: "re2" });
}

/** An IP address or CIDR range. */
export function ipBlock() {
  return Type.String({ minLength: 1, format: "ip-block" });
}

/** Any JSON object, handed on as it is. */
export function struct() {
  return Type.Record(Type.String(), Type.Unknown(), { "x-struct": true });
}

/**
 * One of `values`. `notYet` are values the API has and Scrim does not implement; `anyCase` accepts other spellings of
 * the case and gives the listed one back; `emptyIsUnset` takes the empty text for none, as protobuf does.
 */
export function choice<const V extends readonly string[]>(
  values: V,
  marks: { readonly notYet?: readonly string[]; readonly anyCase?: boolean; readonly emptyIsUnset?: boolean } = {},
) {
  return Type.Unsafe<V[number]>({
    type: "string",
    enum: values,
    ...(marks.notYet && { "x-values-not-yet": marks.notYet }),
    ...(marks.anyCase && { "x-any-case": true }),
    ...(marks.emptyIsUnset && { "x-empty-is-unset": true }),
  });
}

/** Istio's StringMatch: exactly one of exact, prefix, regex. */
export const stringMatch = fields(
  { exact: opt(anyText()), prefix: opt(anyText()), regex: opt(regex()) },
  { oneOf: ["exact", "prefix", "regex"] },
);

/** A StringMatch of a header or query parameter, where `{}` means: present with any value. */
export const presenceOrStringMatch = fields(
  { exact: opt(anyText()), prefix: opt(anyText()), regex: opt(regex()) },
  { atMostOneOf: ["exact", "prefix", "regex"] },
);

/** A match on text; at most one of the three is set, none means present (only where that is allowed). */
export type StringMatch = SpecFrom<typeof presenceOrStringMatch>;

/** Istio's WorkloadSelector in its security and extension kinds. */
export const matchLabelsSelector = fields({ matchLabels: opt(labelMap()) });

/** An exportTo list: ".", "*" or names of namespaces. */
export function exportTo() {
  return listOf(text());
}

const policyTarget = fields({ group: opt(anyText()), kind: text(), name: text(), namespace: opt(anyText()) });

/** Istio's ways of attaching a policy to gateways and Services of a waypoint, which are not there yet. */
export const policyTargets = { targetRefs: notYet(listOf(policyTarget)), targetRef: notYet(policyTarget) };
