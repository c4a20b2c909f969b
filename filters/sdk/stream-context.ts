import { Bytes } from "./bytes";
import { Region } from "./region";

/** What streams may use of the root they belong to. Override `RootContext`. */
export abstract class StreamOwner {
  /** The host's number of this root. */
  id: u32 = 0;
  /** Memory for what the configuration needs; freed when this root is deleted. */
  region: Region = new Region();
  /** Streams' objects that serve none at the moment. */
  free: StreamContext | null = null;

  /** A copy of `bytes` that lives as long as this root. */
  keep(bytes: Bytes): Bytes {
    return this.region.keep(bytes);
  }

  /** `text` in UTF-8, living as long as this root. */
  keepString(text: string): Bytes {
    return this.region.keepString(text);
  }
}

/** What HTTP streams and TCP connections have in common. Override `HttpContext` or `NetworkContext`. */
export abstract class StreamContext {
  /** The host's number of this stream, never used twice in a VM. */
  id: u32 = 0;
  /** The next object of the root's free list, while this one serves no stream. */
  nextFree: StreamContext | null = null;
  /** The root this object belongs to. Subclasses usually hold their own typed reference. */
  owner: StreamOwner | null = null;

  /** A stream begins: set every field of yours to its first value. No host call makes sense yet. */
  onStart(): void {}
  /** The stream is over and can be counted: properties such as response.code are final. */
  onLog(): void {}
  /** The answer to an `httpCall` this stream made; 0 headers: the call failed. The stream is the effective context. */
  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {}
  /** The first metadata of a `grpcStream` this stream opened (`grpcInitialMetadata`). */
  onGrpcInitialMetadata(token: u32, headers: u32): void {}
  /**
   * A message of `size` bytes (`readBuffer(BufferType.GrpcReceiveBuffer, 0, size)`): of a `grpcCall` the answer, which
   * ends the call.
   */
  onGrpcMessage(token: u32, size: u32): void {}
  /** The last metadata of a `grpcStream` (`grpcTrailingMetadata`). */
  onGrpcTrailingMetadata(token: u32, trailers: u32): void {}
  /** A `grpcCall` failed, or the other side ended a `grpcStream`; `grpcStatusMessage()` says more. */
  onGrpcClose(token: u32, status: u32): void {}
  /** The stream is gone; the object goes back to the free list. Cancel gRPC streams here that only served this one. */
  onEnd(): void {}
}
