import { Bytes } from "./bytes";
import { callForeign } from "./foreign";
import { literal } from "./literal";

/**
 * `data` compressed by Envoy in zlib's format (RFC 1950), valid until the callback ends; null if the host refuses
 * (`lastStatus()`).
 */
export function compress(data: Bytes): Bytes | null {
  return callForeign(literal("compress"), data);
}

/**
 * What was compressed in zlib's format; null if `data` is not (`lastStatus()`: SerializationFailure). There is no
 * bound: do not feed it strangers' data.
 */
export function uncompress(data: Bytes): Bytes | null {
  return callForeign(literal("uncompress"), data);
}
