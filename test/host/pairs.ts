const encoder = new TextEncoder();

/** Text in UTF-8; bytes as they are. */
export function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? encoder.encode(value) : value;
}

/** Bytes read as Latin-1, so that any header value survives a round trip through a JavaScript string. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The host's form of pairs: u32 count, (u32 name length, u32 value length)…, name NUL value NUL…; little endian. */
export function encodePairs(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const size = pairs.reduce((sum, [name, value]) => sum + 10 + name.length + value.length, 4);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, pairs.length, true);
  let at = 4 + pairs.length * 8;
  pairs.forEach(([name, value], i) => {
    view.setUint32(4 + i * 8, name.length, true);
    view.setUint32(8 + i * 8, value.length, true);
    out.set(name, at);
    out.set(value, at + name.length + 1);
    at += name.length + value.length + 2;
  });
  return out;
}

const MAX_PAIRS = 1024;
const MAX_BYTES = 1 << 20;

/**
 * Reads pairs a module sends. As in Envoy, whatever is malformed or beyond 1,024 pairs or 1 MiB reads as no pairs at
 * all.
 */
export function decodePairs(bytes: Uint8Array): [Uint8Array, Uint8Array][] {
  if (bytes.length > MAX_BYTES || bytes.length < 4) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > MAX_PAIRS || 4 + count * 8 > bytes.length) return [];
  const pairs: [Uint8Array, Uint8Array][] = [];
  let at = 4 + count * 8;
  const take = (length: number): Uint8Array | undefined => {
    if (at + length + 1 > bytes.length || bytes[at + length] !== 0) return undefined;
    const part = bytes.slice(at, at + length);
    at += length + 1;
    return part;
  };
  for (let i = 0; i < count; i++) {
    const name = take(view.getUint32(4 + i * 8, true));
    const value = name && take(view.getUint32(8 + i * 8, true));
    if (!name || !value) return [];
    pairs.push([name, value]);
  }
  return at === bytes.length ? pairs : [];
}
