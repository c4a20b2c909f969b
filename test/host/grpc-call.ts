import { HeaderMap, type HeadersInput } from "./header-map.ts";
import { toBytes } from "./pairs.ts";

/** What the module can read while it hears of a gRPC callout. */
export interface GrpcEvent {
  readonly initialMetadata?: HeaderMap;
  readonly trailingMetadata?: HeaderMap;
  readonly message?: Uint8Array;
  readonly status?: number;
  readonly statusMessage?: string;
}

/** Tells the module: callback, what it can read meanwhile, the callback's last argument. */
export type GrpcDelivery = (callback: string, event: GrpcEvent, argument: number) => void;

const UNAVAILABLE = 14;

/** A gRPC call or stream the module began; the test is its other side. */
export class GrpcCall {
  readonly kind: "call" | "stream";
  readonly token: number;
  /** Id of the context that made it: a stream's (`HttpStream.id`) or a root's. */
  readonly contextId: number;
  readonly cluster: string;
  readonly service: string;
  readonly method: string;
  readonly metadata: HeaderMap;
  /** 0: none. */
  readonly timeoutMs: number;
  /** On the virtual monotonic clock. */
  readonly deadlineNs: bigint | undefined;
  /** What the module sent, oldest first. */
  readonly messages: Uint8Array[] = [];
  /** The module sends no more. */
  isHalfClosed = false;
  /** Neither answered, closed nor cancelled. */
  isPending = true;
  /** The module cancelled it. */
  isCancelled = false;
  readonly #deliver: GrpcDelivery;
  readonly #forget: () => void;

  constructor(
    call: Pick<
      GrpcCall,
      "kind" | "token" | "contextId" | "cluster" | "service" | "method" | "metadata" | "timeoutMs" | "deadlineNs"
    >,
    deliver: GrpcDelivery,
    forget: () => void,
  ) {
    this.kind = call.kind;
    this.token = call.token;
    this.contextId = call.contextId;
    this.cluster = call.cluster;
    this.service = call.service;
    this.method = call.method;
    this.metadata = call.metadata;
    this.timeoutMs = call.timeoutMs;
    this.deadlineNs = call.deadlineNs;
    this.#deliver = deliver;
    this.#forget = forget;
  }

  /** First metadata of a stream's answers. (Of a call, Envoy tells the module only its message.) */
  sendMetadata(headers: HeadersInput): void {
    const map = new HeaderMap(headers, "response");
    if (this.isPending && this.kind === "stream")
      this.#deliver("proxy_on_grpc_receive_initial_metadata", { initialMetadata: map }, map.size);
  }

  /** A message to the module; it answers and so ends a call. Nothing happens once it is over. */
  sendMessage(message: string | Uint8Array): void {
    if (!this.isPending) return;
    const bytes = toBytes(message);
    this.#deliver("proxy_on_grpc_receive", { message: bytes }, bytes.length);
    if (this.kind === "call") this.#end();
  }

  /**
   * The other side ends it: a call that has no answer failed, a stream is over. The module reads `message{details}`, as
   * Envoy puts it, or the details alone. Details: `via_upstream` (default) if upstream said so, else Envoy's own words.
   */
  close(
    status = 0,
    message = "",
    { trailers = [], details = "via_upstream" }: { readonly trailers?: HeadersInput; readonly details?: string } = {},
  ): void {
    const statusMessage = message === "" ? details : `${message}{${details}}`;
    if (!this.isPending) return;
    const map = new HeaderMap(trailers, "trailers");
    if (this.kind === "stream")
      this.#deliver("proxy_on_grpc_receive_trailing_metadata", { trailingMetadata: map }, map.size);
    if (!this.isPending) return;
    this.#deliver("proxy_on_grpc_close", { status, statusMessage }, status);
    this.#end();
  }

  /** As Envoy ends a call whose timeout is over. */
  timeOut(): void {
    this.close(UNAVAILABLE, "upstream request timeout", { details: "response_timeout" });
  }

  /** The module gave it up. For the host's own use. */
  cancel(): void {
    this.isCancelled = true;
    this.#end();
  }

  #end(): void {
    if (!this.isPending) return;
    this.isPending = false;
    this.#forget();
  }
}
