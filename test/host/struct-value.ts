/** What a google.protobuf.Value can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

// google.protobuf.Value: null_value = 1, number_value = 2, string_value = 3, bool_value = 4, struct_value = 5,
// list_value = 6.

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...out, left]);
    out.push((left % 128) + 128);
  }
}

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(field * 8 + 2), varint(content.length), content]);
}

/** `value` as an encoded google.protobuf.Value. */
export function encodeStructValue(value: JsonValue): Buffer {
  if (value === null) return Buffer.of(8, 0);
  if (typeof value === "number") {
    const out = Buffer.alloc(9, 17);
    out.writeDoubleLE(value, 1);
    return out;
  }
  if (typeof value === "string") return delimited(3, Buffer.from(value));
  if (typeof value === "boolean") return Buffer.of(32, value ? 1 : 0);
  if (Array.isArray(value))
    return delimited(6, Buffer.concat(value.map((one: JsonValue) => delimited(1, encodeStructValue(one)))));
  return delimited(5, encodeStruct(value as Readonly<Record<string, JsonValue>>));
}

const entry = (name: string, encoded: Buffer): Buffer =>
  delimited(1, Buffer.concat([delimited(1, Buffer.from(name)), delimited(2, encoded)]));

function encodeStruct(fields: Readonly<Record<string, JsonValue>>): Buffer {
  return Buffer.concat(Object.entries(fields).map(([name, value]) => entry(name, encodeStructValue(value))));
}

/** An encoded envoy.config.core.v3.Metadata with these `filter_metadata`. */
export function encodeMetadata(filterMetadata: Readonly<Record<string, Readonly<Record<string, JsonValue>>>>): Buffer {
  return Buffer.concat(
    Object.entries(filterMetadata).map(([namespace, fields]) => entry(namespace, encodeStruct(fields))),
  );
}
