// Consumes: a plain value and a schema of model/schema.ts.
// Produces: a normalized copy that fits the schema wherever it could, and a finding for every place where it does not.
// Never does: stop at the first fault, mutate its input, or judge what fields mean together.
import type { TSchema } from "@sinclair/typebox";
import type { FieldPath } from "../model/document.ts";
import { MAX_ENTRIES, type SchemaWords } from "../model/schema.ts";
import { durationFault, hostAndPortFault, ipBlockFault, quote, regexFault } from "./formats.ts";
import { headerTextFault, labelKeyFault, labelValueFault } from "./names.ts";
import { didYouMean } from "./suggest.ts";
import type { Findings } from "./violation.ts";

/** What a check of a shape works on. */
interface Walk {
  readonly findings: Findings;
  /** Below a field of which it is said already that nobody reads it. */
  readonly unread?: boolean;
}

/** Without the field the object would mean something else. */
const NOT_YET = "is not supported yet: the object is refused";
/** Without the field the object means the same, or something that is safe. */
const NO_EFFECT = "is not supported yet and has no effect";

/**
 * Returns `value` as the schema wants it: numbers written as strings become numbers, nulls are left out as protobuf
 * JSON does, open objects lose what is not described. What does not fit is reported and is undefined in the copy, so
 * that further checks can go on with the rest.
 */
export function checkShape(schema: TSchema, value: unknown, path: FieldPath, findings: Findings): unknown {
  return walk(schema as SchemaWords, value, path, { findings });
}

function walk(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  if (schema["x-int-or-string"]) return intOrString(value, path, context);
  switch (schema.type) {
    case "object":
      return schema.patternProperties
        ? walkMap(schema, schema.patternProperties, value, path, context)
        : walkObject(schema, value, path, context);
    case "array":
      return walkList(schema, value, path, context);
    case "string":
      return schema.enum
        ? walkChoice(schema, schema.enum, value, path, context)
        : walkString(schema, value, path, context);
    case "integer":
    case "number":
      return walkNumber(schema, value, path, context);
    case "boolean":
      return walkFlag(value, path, context);
    default:
      return value;
  }
}

function mismatch(expected: string, value: unknown, path: FieldPath, context: Walk): undefined {
  context.findings.error(path, `must be ${expected}, not ${describe(value)}`);
  return undefined;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? `the text ${quote(value)}` : `the ${typeof value} ${String(value)}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function walkObject(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  if (!isRecord(value)) return mismatch("a map of fields", value, path, context);
  const properties = schema.properties ?? {};
  const result: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) reportUnknown(schema, name, [...path, name], context);
    else if (inner !== null && inner !== undefined) {
      const checked = walkField(property, inner, [...path, name], context);
      if (checked !== undefined) result[name] = checked;
    }
  }
  for (const name of schema.required ?? []) {
    if (value[name] === undefined || value[name] === null || !Object.hasOwn(value, name))
      context.findings.error([...path, name], "is required");
  }
  if (Object.keys(value).length < (schema.minProperties ?? 0))
    context.findings.error(path, "must have at least one field");
  checkOneOf(schema, value, path, context);
  return result;
}

/** Says of a field that is not obeyed that it is not, once, and checks its value as any other. */
function walkField(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  const { "x-not-yet": refuses, "x-no-effect": effect } = schema;
  if (refuses === undefined && effect === undefined) return walk(schema, value, path, context);
  const checked = walk(schema, value, path, { ...context, unread: true });
  if (context.unread) return checked;
  if (refuses) context.findings.error(path, NOT_YET);
  else context.findings.warn(path, typeof effect === "string" ? `has no effect: ${effect}` : NO_EFFECT);
  return checked;
}

function reportUnknown(schema: SchemaWords, name: string, path: FieldPath, context: Walk): void {
  if (schema.additionalProperties === true) return;
  const hint = didYouMean(name, Object.keys(schema.properties ?? {}));
  context.findings.error(path, `unknown field ${quote(name)}${hint}`);
}

function checkOneOf(
  schema: SchemaWords,
  value: Readonly<Record<string, unknown>>,
  path: FieldPath,
  context: Walk,
): void {
  const names = schema["x-one-of"] ?? schema["x-at-most-one-of"];
  if (names === undefined) return;
  const set = names.filter((name) => Object.hasOwn(value, name) && value[name] !== null && value[name] !== undefined);
  if (set.length > 1) context.findings.error([...path, set[1] ?? ""], `only one of ${names.join(", ")} can be set`);
  if (set.length > 0 || schema["x-one-of"] === undefined) return;
  const misspelt = Object.keys(value).some((name) => !Object.hasOwn(schema.properties ?? {}, name));
  const known = names.filter((name) => schema.properties?.[name]?.["x-not-yet"] !== true);
  if (!misspelt) context.findings.error(path, `one of ${known.join(", ")} is required`);
}

function walkMap(
  schema: SchemaWords,
  patterns: Readonly<Record<string, SchemaWords>>,
  value: unknown,
  path: FieldPath,
  context: Walk,
): unknown {
  if (!isRecord(value)) return mismatch("a map", value, path, context);
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) return void context.findings.error(path, `has more than ${MAX_ENTRIES} entries`);
  if (schema["x-struct"]) return forbiddenKey(value, path, context) ? undefined : structuredClone(value);
  const values = Object.values(patterns)[0] ?? {};
  const result: Record<string, unknown> = {};
  for (const [key, inner] of entries) {
    const at = [...path, key];
    const checked =
      key === "__proto__" || HALF_A_CHARACTER.test(key)
        ? void context.findings.error(at, "is no name that can be used here")
        : walk(values, inner, at, context);
    if (schema["x-labels"]) checkLabel(key, checked, at, context);
    if (checked !== undefined) result[key] = checked;
  }
  return result;
}

function checkLabel(key: string, value: unknown, path: FieldPath, context: Walk): void {
  const fault = labelKeyFault(key) ?? (typeof value === "string" ? labelValueFault(value) : undefined);
  if (fault !== undefined) context.findings.error(path, fault);
}

/** A key named `__proto__` anywhere in free-form data would change objects of whoever copies it carelessly. */
function forbiddenKey(value: unknown, path: FieldPath, context: Walk): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (key !== "__proto__") return forbiddenKey(inner, at, context);
    context.findings.error(at, "is no name that can be used here");
    return true;
  });
}

function walkList(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  if (!Array.isArray(value)) return mismatch("a list", value, path, context);
  if (value.length < (schema.minItems ?? 0)) context.findings.error(path, "must not be empty");
  if (value.length > MAX_ENTRIES) return void context.findings.error(path, `has more than ${MAX_ENTRIES} items`);
  return value.map((item: unknown, index) => walk(schema.items ?? {}, item, [...path, index], context));
}

/** Half of a surrogate pair, which UTF-8 has not. */
const HALF_A_CHARACTER = /\p{Cs}/u;

function walkString(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  if (typeof value === "number" || typeof value === "boolean") {
    return void context.findings.error(
      path,
      `must be text, not the ${typeof value} ${String(value)}: write it in quotes, "${String(value)}"`,
    );
  }
  if (typeof value !== "string") return mismatch("text", value, path, context);
  if (value.length < (schema.minLength ?? 0)) return void context.findings.error(path, "must not be empty");
  if (value.includes("\u0000")) return void context.findings.error(path, "must not contain a NUL character");
  // What is no Unicode cannot be told to Envoy.
  if (HALF_A_CHARACTER.test(value)) return void context.findings.error(path, "must not hold half a character");
  const fault = formFault(schema, value);
  return fault === undefined ? value : void context.findings.error(path, fault);
}

function formFault(schema: SchemaWords, value: string): string | undefined {
  switch (schema.format) {
    case "duration":
      return durationFault(value, schema["x-min-ms"] ?? 0);
    case "re2":
      return regexFault(value);
    case "ip-block":
      return ipBlockFault(value);
    case "header-text":
      return headerTextFault(value);
    case "host-port":
      return hostAndPortFault(value);
    default:
      return undefined;
  }
}

function walkChoice(
  schema: SchemaWords,
  choices: readonly string[],
  value: unknown,
  path: FieldPath,
  context: Walk,
): unknown {
  if (typeof value !== "string") return mismatch(`one of ${choices.join(", ")}`, value, path, context);
  if (value === "" && schema["x-empty-is-unset"]) return undefined;
  const wanted = schema["x-any-case"] ? value.toUpperCase() : value;
  if (choices.includes(wanted)) return wanted;
  if (schema["x-values-not-yet"]?.includes(wanted)) {
    if (context.unread) return wanted;
    return void context.findings.error(path, `${wanted} ${NOT_YET}`);
  }
  const hint = didYouMean(value, choices);
  return void context.findings.error(path, `must be one of ${choices.join(", ")}, not ${quote(value)}${hint}`);
}

function walkNumber(schema: SchemaWords, value: unknown, path: FieldPath, context: Walk): unknown {
  const whole = schema.type === "integer";
  const number =
    typeof value === "string" && (whole ? /^-?\d{1,16}$/ : /^-?\d{1,16}(\.\d{1,16})?$/).test(value)
      ? Number(value)
      : value;
  const noun = whole ? "a whole number" : "a number";
  if (typeof number !== "number" || !Number.isFinite(number) || (whole && !Number.isSafeInteger(number)))
    return mismatch(noun, value, path, context);
  const { minimum = -Infinity, maximum = Infinity } = schema;
  if (number >= minimum && number <= maximum) return number;
  const range =
    maximum >= 2_147_483_647 && number < minimum ? `at least ${minimum}` : `between ${minimum} and ${maximum}`;
  return void context.findings.error(path, `must be ${range}, not ${number}`);
}

function walkFlag(value: unknown, path: FieldPath, context: Walk): unknown {
  if (typeof value === "boolean") return value;
  // YAML 1.1, which Kubernetes reads, has these words for booleans.
  if (typeof value === "string" && /^(?:true|yes|on)$/i.test(value)) return true;
  if (typeof value === "string" && /^(?:false|no|off)$/i.test(value)) return false;
  return mismatch("true or false", value, path, context);
}

function intOrString(value: unknown, path: FieldPath, context: Walk): unknown {
  if (typeof value === "string" && value !== "") return /^\d{1,5}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(value) ? value : mismatch("a port number or the name of one", value, path, context);
}
