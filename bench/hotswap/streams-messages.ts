// What the process of open streams is asked for, and what it answers.

/** Streams to hold open through a port of 127.0.0.1, half of them gRPC, half WebSocket. */
export interface StreamsRequest {
  readonly port: number;
  readonly count: number;
  /** Each stream sends a message so often and expects it back. */
  readonly everyMs: number;
}

export interface StreamsResult {
  readonly opened: { readonly grpc: number; readonly webSocket: number };
  readonly messages: number;
  /** Messages that did not come back as they were. */
  readonly lost: number;
  /** Streams that ended before they were told to, each reason with its count. */
  readonly broken: Readonly<Record<string, number>>;
}

export type ToStreams = { readonly kind: "open"; readonly request: StreamsRequest } | { readonly kind: "close" };
export type FromStreams =
  | { readonly kind: "serving"; readonly grpcPort: number; readonly webSocketPort: number }
  | { readonly kind: "open" }
  | { readonly kind: "result"; readonly result: StreamsResult };
