// Reads serialized FileDescriptorProtos out of generated Python modules, and gives one table of messages and enums.
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor.js";

/** By their numbers in descriptor.proto; what is undefined is no scalar. */
const SCALARS = [
  undefined,
  "double",
  "float",
  "int64",
  "uint64",
  "int32",
  "fixed64",
  "fixed32",
  "bool",
  "string",
  undefined,
  undefined,
  "bytes",
  "uint32",
  undefined,
  "sfixed32",
  "sfixed64",
  "sint32",
  "sint64",
];
const MESSAGE = 11;
const ENUM = 14;
const REPEATED = 3;

const ESCAPES = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11, "\\": 92, "'": 39, '"': 34 };

/** The bytes that `AddSerializedFile(b'…')` of a `_pb2.py` module holds. */
export function readSerializedFile(python) {
  const start = python.indexOf("AddSerializedFile(b");
  if (start < 0) return undefined;
  const quote = python[start + 19];
  const bytes = [];
  for (let at = start + 20; python[at] !== quote; at++) {
    if (python[at] !== "\\") bytes.push(python.charCodeAt(at));
    else at = readEscape(python, at + 1, bytes);
  }
  return Uint8Array.from(bytes);
}

function readEscape(python, at, bytes) {
  const letter = python[at];
  if (letter === "x") {
    bytes.push(Number.parseInt(python.slice(at + 1, at + 3), 16));
    return at + 2;
  }
  const octal = /^[0-7]{1,3}/.exec(python.slice(at, at + 3));
  if (octal !== null) {
    bytes.push(Number.parseInt(octal[0], 8));
    return at + octal[0].length - 1;
  }
  if (!(letter in ESCAPES)) throw new Error(`unknown escape \\${letter} in a bytes literal`);
  bytes.push(ESCAPES[letter]);
  return at;
}

/**
 * A table full name → message or enum:
 * message `{ kind, fullName, package, path: string[], fields: [{ name, protoName, id, type, reference?, repeated,
 * keyType?, oneof? }] }`, enum `{ kind, fullName, package, path, values: { NAME: number } }`. Map entries are folded
 * into their field.
 */
export function readDescriptors(files) {
  const table = new Map();
  for (const bytes of files) {
    const file = descriptor.FileDescriptorProto.decode(bytes);
    for (const message of file.messageType) addMessage(table, file.package, [], message);
    for (const type of file.enumType) addEnum(table, file.package, [], type);
  }
  addWellKnown(table);
  return table;
}

function addEnum(table, packageName, outer, type) {
  const path = [...outer, type.name];
  const values = Object.fromEntries(type.value.map((value) => [value.name, value.number ?? 0]));
  const fullName = [packageName, ...path].join(".");
  table.set(fullName, { kind: "enum", fullName, package: packageName, path, values });
}

function addMessage(table, packageName, outer, message) {
  const path = [...outer, message.name];
  const fullName = [packageName, ...path].join(".");
  const entries = new Map(
    message.nestedType
      .filter((nested) => nested.options?.mapEntry)
      .map((nested) => [`.${fullName}.${nested.name}`, nested]),
  );
  for (const nested of message.nestedType) if (!nested.options?.mapEntry) addMessage(table, packageName, path, nested);
  for (const type of message.enumType) addEnum(table, packageName, path, type);
  const fields = message.field.map((field) => readField(field, entries, message.oneofDecl));
  table.set(fullName, { kind: "message", fullName, package: packageName, path, fields });
}

function readField(field, entries, oneofs) {
  const protoName = field.name;
  const entry = entries.get(field.typeName);
  const value = entry === undefined ? field : entry.field.find((candidate) => candidate.number === 2);
  const common = { name: protobuf.util.jsonName(protoName), protoName, id: field.number, ...readType(value) };
  if (entry !== undefined)
    return {
      ...common,
      repeated: false,
      keyType: SCALARS[entry.field.find((candidate) => candidate.number === 1).type],
    };
  const isOneof = Object.hasOwn(field, "oneofIndex") && !field.proto3Optional;
  return { ...common, repeated: field.label === REPEATED, oneof: isOneof ? oneofs[field.oneofIndex].name : undefined };
}

function readType(field) {
  if (field.type === MESSAGE || field.type === ENUM) return { reference: field.typeName.slice(1) };
  return { type: SCALARS[field.type] };
}

/** Python packages leave google/protobuf/*.proto to the runtime; protobufjs carries the same definitions. */
function addWellKnown(table) {
  for (const name of ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"]) {
    const json = protobuf.common.get(`google/protobuf/${name}.proto`);
    for (const [local, type] of Object.entries(json.nested.google.nested.protobuf.nested)) {
      table.set(`google.protobuf.${local}`, wellKnown(local, type));
    }
  }
}

function wellKnown(local, json) {
  const common = { fullName: `google.protobuf.${local}`, package: "google.protobuf", path: [local] };
  if (json.values !== undefined) return { kind: "enum", ...common, values: json.values };
  const oneofs = Object.entries(json.oneofs ?? {}).flatMap(([name, group]) =>
    group.oneof.map((member) => [member, name]),
  );
  const fields = Object.entries(json.fields ?? {}).map(([name, field]) => ({
    name: protobuf.util.jsonName(field.protoName ?? name),
    protoName: field.protoName ?? name,
    id: field.id,
    ...(/^[A-Z]/.test(field.type) ? { reference: `google.protobuf.${field.type}` } : { type: field.type }),
    repeated: field.rule === "repeated",
    keyType: field.keyType,
    oneof: new Map(oneofs).get(name),
  }));
  return { kind: "message", ...common, fields };
}
