// Between the form that translators write (enums as words, wrappers and Struct as values) and the one protobufjs
// encodes.
import type protobuf from "protobufjs/light.js";
import { fieldsOf, type FieldPlan, fullNameOf, type ValueKind } from "./schema.ts";

type Plain = Record<string, unknown>;

/**
 * A message that cannot be encoded as written; `path` leads to the value, as in `Cluster.edsClusterConfig.serviceName`.
 */
export class MessageShapeError extends Error {
  readonly code = "MESSAGE_SHAPE";
  readonly path: string;
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.path = path;
  }
}

interface Conversion {
  readonly lower: (value: unknown, path: string) => Plain;
  readonly raise: (message: Plain) => unknown;
}

const TYPE_OF_WRAPPED = {
  Double: "number",
  Float: "number",
  Int32: "number",
  Int64: "number",
  UInt32: "number",
  UInt64: "number",
  Bool: "boolean",
  String: "string",
  Bytes: "object",
};

const conversions = new Map<string, Conversion>([
  ...Object.entries(TYPE_OF_WRAPPED).map(([word, type]): [string, Conversion] => [
    `.google.protobuf.${word}Value`,
    wrapperConversion(type),
  ]),
  [".google.protobuf.Struct", { lower: lowerStruct, raise: raiseStruct }],
  [".google.protobuf.Value", { lower: lowerJson, raise: raiseJson }],
  [".google.protobuf.ListValue", { lower: lowerList, raise: raiseList }],
]);

/**
 * The protobufjs form of a message; unknown fields, wrong kinds of values and two members of a oneof throw
 * MessageShapeError.
 */
export function lowerMessage(type: protobuf.Type, message: unknown, path: string): Plain {
  const conversion = conversions.get(fullNameOf(type));
  if (conversion !== undefined) return conversion.lower(message, path);
  if (typeof message !== "object" || message === null || Array.isArray(message))
    throw new MessageShapeError(path, `${type.name} must be an object`);
  const fields = fieldsOf(type);
  const out: Plain = {};
  let oneofs: Map<string, string> | undefined;
  for (const key in message) {
    const value = (message as Plain)[key];
    if (value === undefined) continue;
    const field = fields.get(key);
    if (field === undefined) throw new MessageShapeError(`${path}.${key}`, `${type.name} has no such field`);
    if (field.oneof !== undefined) claimOneof((oneofs ??= new Map()), field.oneof, key, path);
    out[key] = lowerField(field, value, `${path}.${key}`);
  }
  return out;
}

function claimOneof(oneofs: Map<string, string>, oneof: string, key: string, path: string): void {
  const other = oneofs.get(oneof);
  if (other !== undefined)
    throw new MessageShapeError(`${path}.${key}`, `${other} is set already, and only one of ${oneof} can be`);
  oneofs.set(oneof, key);
}

function lowerField(field: FieldPlan, value: unknown, path: string): unknown {
  if (field.shape === "single") return lowerValue(field, value, path);
  if (field.shape === "list") {
    if (!Array.isArray(value)) throw new MessageShapeError(path, "must be an array");
    return value.map((item, index) => lowerValue(field, item, `${path}[${index}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MessageShapeError(path, "must be an object of keys and values");
  // Sorted, so that equal content is equal bytes whatever order it was put together in.
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, lowerValue(field, (value as Plain)[key], `${path}[${key}]`)]));
}

function lowerValue(field: FieldPlan, value: unknown, path: string): unknown {
  const kind = field.value;
  if (kind.kind === "message") return lowerMessage(kind.type, value, path);
  if (kind.kind === "enum") {
    const number = typeof value === "string" && Object.hasOwn(kind.values, value) ? kind.values[value] : undefined;
    if (number === undefined)
      throw new MessageShapeError(path, `${String(value)} is not one of ${Object.keys(kind.values).join(", ")}`);
    return number;
  }
  if (!isScalar(field.scalar, value)) throw new MessageShapeError(path, `must be a ${field.scalar}`);
  return value;
}

function isScalar(scalar: string, value: unknown): boolean {
  if (scalar === "string") return typeof value === "string";
  if (scalar === "bool") return typeof value === "boolean";
  if (scalar === "bytes") return value instanceof Uint8Array;
  return scalar === "double" || scalar === "float"
    ? typeof value === "number" && !Number.isNaN(value)
    : Number.isSafeInteger(value);
}

function wrapperConversion(type: string): Conversion {
  return {
    lower: (value, path) => {
      if (typeof value !== type) throw new MessageShapeError(path, `must be a ${type}`);
      return { value };
    },
    raise: (message) => toNumber(message["value"]),
  };
}

function lowerStruct(value: unknown, path: string): Plain {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MessageShapeError(path, "must be an object");
  const keys = Object.keys(value).sort();
  return { fields: Object.fromEntries(keys.map((key) => [key, lowerJson((value as Plain)[key], `${path}.${key}`)])) };
}

function lowerList(value: unknown, path: string): Plain {
  if (!Array.isArray(value)) throw new MessageShapeError(path, "must be an array");
  return { values: value.map((item, index) => lowerJson(item, `${path}[${index}]`)) };
}

function lowerJson(value: unknown, path: string): Plain {
  if (value === null) return { nullValue: 0 };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number" && Number.isFinite(value)) return { numberValue: value };
  if (Array.isArray(value)) return { listValue: lowerList(value, path) };
  if (typeof value === "object") return { structValue: lowerStruct(value, path) };
  throw new MessageShapeError(path, "is not a JSON value");
}

/** Our form of a decoded message: only what is set, enums as words (numbers that have none stay numbers). */
export function raiseMessage(type: protobuf.Type, message: Plain): unknown {
  const conversion = conversions.get(fullNameOf(type));
  if (conversion !== undefined) return conversion.raise(message);
  // Both fields always, as AnyMessage has them: of an empty message no bytes are on the wire.
  if (fullNameOf(type) === ".google.protobuf.Any") return { typeUrl: message["typeUrl"], value: message["value"] };
  const out: Plain = {};
  for (const field of fieldsOf(type).values()) {
    if (!Object.hasOwn(message, field.name)) continue;
    const value = message[field.name];
    if (field.shape !== "single" && Object.keys(value as object).length === 0) continue;
    if (field.shape === "list") out[field.name] = (value as unknown[]).map((item) => raiseValue(field.value, item));
    else if (field.shape === "map")
      out[field.name] = Object.fromEntries(
        Object.entries(value as Plain).map(([key, item]) => [key, raiseValue(field.value, item)]),
      );
    else out[field.name] = raiseValue(field.value, value);
  }
  return out;
}

function raiseValue(kind: ValueKind, value: unknown): unknown {
  if (kind.kind === "message") return raiseMessage(kind.type, value as Plain);
  if (kind.kind === "enum") return kind.names[value as number] ?? value;
  return toNumber(value);
}

/** 64-bit values arrive as { low, high }; Envoy's own ones (sizes, counts, times) fit a double. */
function toNumber(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("low" in value) || !("high" in value)) return value;
  return Number(value.high) * 2 ** 32 + (Number(value.low) >>> 0);
}

function raiseStruct(message: Plain): Plain {
  const fields = (message["fields"] ?? {}) as Record<string, Plain>;
  const out: Plain = {};
  // Defined, not assigned: a key `__proto__` from the wire must stay an ordinary key.
  for (const [key, value] of Object.entries(fields))
    Object.defineProperty(out, key, { value: raiseJson(value), enumerable: true, writable: true, configurable: true });
  return out;
}

function raiseList(message: Plain): unknown[] {
  return ((message["values"] ?? []) as Plain[]).map(raiseJson);
}

function raiseJson(value: Plain): unknown {
  if (Object.hasOwn(value, "structValue")) return raiseStruct(value["structValue"] as Plain);
  if (Object.hasOwn(value, "listValue")) return raiseList(value["listValue"] as Plain);
  for (const key of ["stringValue", "numberValue", "boolValue"]) if (Object.hasOwn(value, key)) return value[key];
  return null;
}
