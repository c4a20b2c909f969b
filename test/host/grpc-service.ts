import { latin1 } from "./pairs.ts";

/** The length-delimited field 1 of a protobuf message; undefined if the bytes are no message, "" if it is absent. */
function firstField(bytes: Uint8Array): Uint8Array | undefined {
  let found = new Uint8Array();
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
    const length = wire === 0 ? (varint() < 0 ? -1 : 0) : wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : -1;
    if (length < 0 || at + length > bytes.length) return undefined;
    if (field === 1 && wire === 2) found = bytes.slice(at, at + length);
    at += length;
  }
  return found;
}

/** The cluster a module means: from an encoded `envoy.config.core.v3.GrpcService`, else the bytes are its name. Undefined: a message without one. */
export function grpcCluster(target: Uint8Array): { readonly name: string; readonly isMessage: boolean } | undefined {
  const envoyGrpc = firstField(target);
  if (envoyGrpc === undefined) return { name: latin1(target), isMessage: false };
  const cluster = firstField(envoyGrpc);
  return cluster && cluster.length > 0 ? { name: latin1(cluster), isMessage: true } : undefined;
}
