// Dynamic metadata as Envoy shows it to a filter.
import { Bytes, getProperty } from "as-proxy-wasm-sdk";
import { ABSENT, addressOf, lengthOf, Span, spanOf } from "../policy/bytes";
import { MetadataReader } from "../policy/jwt-claims";

class HostMetadata extends MetadataReader {
  override read(path: Span): Span {
    const bytes = getProperty(Bytes.view(addressOf(path), lengthOf(path)));
    return bytes == null ? ABSENT : spanOf(bytes.ptr, bytes.length);
  }
}

/** The metadata of the stream whose callback runs: `ClaimPath.read(hostMetadata, value)`. */
export const hostMetadata: MetadataReader = new HostMetadata();
