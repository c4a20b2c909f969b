// Writes the TypeScript types of the pruned messages, in the form that protos/codec.ts takes and gives.

const SCALAR_TYPES = { bool: "boolean", string: "string", bytes: "Uint8Array" };

// What the codec converts by itself (see protos/codec.ts): written as values, not as messages.
const CONVERTED = new Map([
  ["google.protobuf.Any", "AnyMessage"],
  ["google.protobuf.Struct", "JsonObject"],
  ["google.protobuf.Value", "JsonValue"],
  ["google.protobuf.ListValue", "readonly JsonValue[]"],
  ["google.protobuf.BoolValue", "boolean"],
  ["google.protobuf.BytesValue", "Uint8Array"],
  ["google.protobuf.StringValue", "string"],
  ...["Double", "Float", "Int32", "Int64", "UInt32", "UInt64"].map((word) => [
    `google.protobuf.${word}Value`,
    "number",
  ]),
]);

const HEAD = `// Made by protos/build.mjs from the pinned Envoy API; not committed, not edited.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject { readonly [key: string]: JsonValue }

declare const packed: unique symbol;
/** An encoded message with its type URL, as packAny returns it. */
export interface AnyMessage { readonly typeUrl: string; readonly value: Uint8Array; readonly [packed]?: true }
`;

/**
 * The text of envoy.ts: one interface per message, one string union per enum, and the table MessageByName. A field that
 * is undefined is one that is not set, as the codec has it.
 */
export function toTypeScript(kept, names) {
  const nameOf = new Map([...names].map(([name, fullName]) => [fullName, name]));
  const parts = [HEAD];
  for (const [name, fullName] of names) {
    const type = kept.get(fullName);
    if (CONVERTED.has(fullName)) continue;
    parts.push(`/** ${fullName} */\n${type.kind === "enum" ? enumType(name, type) : messageType(name, type, nameOf)}`);
  }
  const rows = [...names]
    .filter(([, fullName]) => kept.get(fullName).kind === "message")
    .map(([name, fullName]) => `  ${name}: ${CONVERTED.get(fullName) ?? name};`);
  parts.push(
    `/** Every message by the name that the codec takes. */\nexport interface MessageByName {\n${rows.join("\n")}\n}\n`,
  );
  return parts.join("\n");
}

function enumType(name, type) {
  return `export type ${name} = ${Object.keys(type.values)
    .map((value) => JSON.stringify(value))
    .join(" | ")};\n`;
}

function messageType(name, type, nameOf) {
  const lines = type.fields.map(
    (field) =>
      `  ${field.name}?: ${fieldType(field, nameOf)} | ` +
      `undefined;${field.oneof === undefined ? "" : ` // one of ${field.oneof}`}`,
  );
  return `export interface ${name} {\n${lines.join("\n")}${lines.length === 0 ? "" : "\n"}}\n`;
}

function fieldType(field, nameOf) {
  const value =
    field.reference === undefined
      ? (SCALAR_TYPES[field.type] ?? "number")
      : (CONVERTED.get(field.reference) ?? nameOf.get(field.reference));
  if (field.keyType !== undefined)
    return `Readonly<Record<${field.keyType === "string" ? "string" : "number"}, ${value}>>`;
  if (!field.repeated) return value;
  return /[ |]/.test(value) ? `readonly (${value})[]` : `readonly ${value}[]`;
}
