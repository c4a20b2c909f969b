// Protobuf messages with fields of bytes and small numbers: what Envoy's foreign functions take and give.

/** The fields of a message by number, the last one of each; undefined if the bytes are no message. */
export function readMessage(bytes: Uint8Array): ReadonlyMap<number, Uint8Array | number> | undefined {
  const fields = new Map<number, Uint8Array | number>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return -1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return -1;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (field < 1) return undefined;
    if (wire === 0) {
      const value = varint();
      if (value < 0) return undefined;
      fields.set(field, value);
      continue;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : -1;
    if (length < 0 || at + length > bytes.length) return undefined;
    fields.set(field, bytes.slice(at, at + length));
    at += length;
  }
  return fields;
}

/** A message with these fields, in this order. */
export function writeMessage(fields: readonly (readonly [number, string | Uint8Array | number])[]): Uint8Array {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  return Buffer.concat(
    fields.map(([field, value]) => {
      if (typeof value === "number") return Buffer.from([...varint(field * 8), ...varint(value)]);
      const content = typeof value === "string" ? Buffer.from(value) : value;
      return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
    }),
  );
}
