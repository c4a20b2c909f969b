import { HeaderMap, type HeadersInput } from "./header-map.ts";
import { toBytes } from "./pairs.ts";

/** What came back from a callout; undefined: the call failed. */
export type HttpCallAnswer =
  | { readonly headers: HeaderMap; readonly body: Uint8Array; readonly trailers: HeaderMap | undefined }
  | undefined;

/** An HTTP callout the module made; the test answers it with `respond` or `fail`. */
export class HttpCall {
  /** Whether it still waits for its answer. */
  isPending = true;
  readonly token: number;
  /** Id of the context that made it: a stream's (`HttpStream.id`) or a root's. */
  readonly contextId: number;
  readonly cluster: string;
  readonly headers: HeaderMap;
  readonly body: Uint8Array;
  /** 0: none. */
  readonly timeoutMs: number;
  /** On the virtual monotonic clock. */
  readonly deadlineNs: bigint | undefined;
  readonly #deliver: (answer: HttpCallAnswer) => void;

  constructor(
    call: Pick<HttpCall, "token" | "contextId" | "cluster" | "headers" | "body" | "timeoutMs" | "deadlineNs">,
    deliver: (answer: HttpCallAnswer) => void,
  ) {
    this.token = call.token;
    this.contextId = call.contextId;
    this.cluster = call.cluster;
    this.headers = call.headers;
    this.body = call.body;
    this.timeoutMs = call.timeoutMs;
    this.deadlineNs = call.deadlineNs;
    this.#deliver = deliver;
  }

  /** Answers the call; nothing happens if it has been answered. */
  respond(answer: {
    readonly headers: HeadersInput;
    readonly body?: string | Uint8Array;
    readonly trailers?: HeadersInput;
  }): void {
    this.#settle({
      headers: new HeaderMap(answer.headers, "response"),
      body: toBytes(answer.body ?? ""),
      trailers: answer.trailers && new HeaderMap(answer.trailers, "trailers"),
    });
  }

  /** Lets the call fail (reset); the module sees an answer with zero headers. */
  fail(): void {
    this.#settle(undefined);
  }

  /** Answers as Envoy does when the timeout is over: 504. */
  timeOut(): void {
    this.respond({ headers: { ":status": "504" }, body: "upstream request timeout" });
  }

  #settle(answer: HttpCallAnswer): void {
    if (!this.isPending) return;
    this.isPending = false;
    this.#deliver(answer);
  }
}
