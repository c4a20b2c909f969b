// Messages as their bytes are: taken apart and put together without decoding what is inside.
import protobuf from "protobufjs/light.js";

export interface RawField {
  readonly tag: number;
  readonly raw: Uint8Array;
}

/** The fields of a message as they stand in its bytes; `tag` is number << 3 | wire type. */
export function fieldsOf(bytes: Uint8Array): RawField[] {
  const reader = protobuf.Reader.create(bytes);
  const fields: RawField[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    reader.skipType(tag & 7);
    fields.push({ tag, raw: bytes.subarray(start, reader.pos) });
  }
  return fields;
}

/**
 * A field that holds these bytes. Appended to a message that has one of its number, a repeated one is one more, and a
 * message is merged.
 */
export function field(number: number, bytes: Uint8Array): Uint8Array {
  return protobuf.Writer.create()
    .uint32((number << 3) | 2)
    .bytes(bytes)
    .finish();
}
