import type { HeaderMap } from "./header-map.ts";
import type { AttributeTree } from "./attributes.ts";
import type { ForeignState } from "./foreign.ts";
import type { GrpcEvent } from "./grpc-call.ts";
import type { HttpCallAnswer } from "./http-call.ts";

/** A body the module may read and change: the piece at hand, or all that was buffered. */
export interface BodyBuffer {
  data: Uint8Array;
}

/** What host calls may do with a stream. Maps and buffers are undefined when Envoy would not give them. */
export interface StreamAccess {
  readonly requestMap: HeaderMap | undefined;
  readonly requestTrailerMap: HeaderMap | undefined;
  readonly responseMap: HeaderMap | undefined;
  readonly responseTrailerMap: HeaderMap | undefined;
  /** Of a TCP connection there are no bodies. */
  readonly isHttp: boolean;
  readonly requestBuffer: BodyBuffer | undefined;
  readonly responseBuffer: BodyBuffer | undefined;
  /** A TCP connection's data at hand. */
  readonly downstreamBuffer: BodyBuffer | undefined;
  readonly upstreamBuffer: BodyBuffer | undefined;
  /** In the log phase maps can be read, and an absent one is NotFound. */
  readonly isLogging: boolean;
  readonly attributeTrees: readonly AttributeTree[];
  readonly filterState: Map<string, Uint8Array>;
  /** The map a module may change: one it holds, also in the log; undefined after it let the headers go. */
  changeable(type: number): HeaderMap | undefined;
  /** The trailers of a direction (a map type), made where Envoy would make them; undefined elsewhere. */
  createTrailers(type: number): HeaderMap | undefined;
  headersModified(map: number): void;
  clearRouteCache(): void;
  sendLocalReply(reply: {
    status: number;
    details: string;
    body: Uint8Array;
    headers: [Uint8Array, Uint8Array][];
    grpcStatus: number;
  }): void;
  continueStream(type: number): void;
  closeStream(type: number): void;
}

/** A configured plugin in one VM. */
export interface Root {
  readonly name: string;
  readonly rootId: string;
  readonly configuration: Uint8Array;
  /** Readable only while configure runs. */
  isConfiguring: boolean;
  tickPeriodMs: number;
  nextTickNs: bigint | undefined;
  /** The callout answer being delivered. */
  answer: HttpCallAnswer;
  /** What is being told of a gRPC callout. */
  grpcEvent: GrpcEvent | undefined;
  /** What foreign functions keep for it. */
  readonly foreign: ForeignState;
  /** What `proxy_done` does. */
  finish: () => boolean;
  isGone: boolean;
}

/** What the module knows by an id: a root (no stream) or a stream of one. */
export interface Context {
  readonly id: number;
  readonly root: Root;
  readonly rootContext: Context | undefined;
  readonly stream: StreamAccess | undefined;
}
