import { type AttributeTree, checkedAttributes, mergeAttributes } from "./attributes.ts";
import type { Context, StreamAccess } from "./context.ts";
import { HostError } from "./errors.ts";
import { HeaderMap, type HeadersInput } from "./header-map.ts";
import type { Attributes } from "./known-attributes.ts";
import { buildReply, type LocalReply, type ReplyRequest } from "./local-reply.ts";
import { latin1, toBytes } from "./pairs.ts";
import type { PluginInstance } from "./plugin.ts";
import { streamAccess, type StreamState } from "./stream-access.ts";
import { derivedAttributes } from "./stream-attributes.ts";
import { type Outcome, requestHeadersOf, type StreamOptions } from "./stream-options.ts";
import { StreamOrder } from "./stream-order.ts";
import { type ModuleCaller, StreamSide } from "./stream-side.ts";

/**
 * One HTTP stream through the filter, driven step by step by a test: request headers, body, trailers, response …,
 * `end()`.
 */
export class HttpStream {
  #attributes: AttributeTree;
  readonly #plugin: PluginInstance;
  readonly #id: number;
  readonly #module: ModuleCaller;
  readonly #state: StreamState;
  readonly #requestOrder = new StreamOrder("request");
  readonly #responseOrder = new StreamOrder("response");
  #created = false;
  #ended = false;
  #reset = false;
  #reply: LocalReply | undefined;
  readonly #startedNs: bigint;
  readonly #startedWallNs: bigint;

  constructor(plugin: PluginInstance, options: StreamOptions) {
    this.#plugin = plugin;
    this.#id = plugin.vm.allocateContextId();
    this.#module = this.#caller();
    this.#state = {
      requestHeaders: requestHeadersOf(options),
      responseHeaders: undefined,
      request: new StreamSide(this.#module),
      response: new StreamSide(this.#module),
      filterState: new Map(),
      isLogging: false,
      routeCacheCleared: 0,
    };
    this.#attributes = checkedAttributes(options.attributes ?? {});
    this.#startedNs = plugin.vm.environment.clock.monotonicNs;
    this.#startedWallNs = plugin.vm.environment.clock.wallNs;
    plugin.opened();
  }

  /** The context's id, as the module knows it. */
  get id(): number {
    return this.#id;
  }

  /** The request's headers as they are now: after the filter continued, what upstream gets. */
  get requestHeaders(): HeaderMap {
    return this.#state.requestHeaders;
  }

  /** The response's headers as they are now. */
  get responseHeaders(): HeaderMap | undefined {
    return this.#state.responseHeaders;
  }

  /** How often the route was chosen anew (foreign function, or a changed request header). */
  get routeCacheCleared(): number {
    return this.#state.routeCacheCleared;
  }

  /** Where the stream stands. */
  get outcome(): Outcome {
    if (this.#reset) return { kind: "reset" };
    if (this.#reply) return { kind: "replied", reply: this.#reply };
    return { kind: this.#state.request.paused || this.#state.response.paused ? "paused" : "continue" };
  }

  /** The local reply, if there is one. */
  get reply(): LocalReply | undefined {
    return this.#reply;
  }

  /** Body bytes that went on to upstream. */
  get requestBody(): Uint8Array {
    return this.#state.request.body.sent;
  }

  /** Body bytes that went on to the client. */
  get responseBody(): Uint8Array {
    return this.#state.response.body.sent;
  }

  /** The request's trailers as the filter left them. */
  get requestTrailers(): HeaderMap | undefined {
    return this.#state.request.sentTrailers;
  }

  /** The response's trailers as the filter left them. */
  get responseTrailers(): HeaderMap | undefined {
    return this.#state.response.sentTrailers;
  }

  /** Filter state `wasm.<name>` as text, undefined if not set. */
  filterState(name: string): string | undefined {
    const value = this.#state.filterState.get(`wasm.${name}`);
    return value && latin1(value);
  }

  /** All filter state the filter set, by the name it used, as text. */
  filterStates(): Record<string, string> {
    return Object.fromEntries(
      [...this.#state.filterState].map(([name, value]) => [name.slice("wasm.".length), latin1(value)]),
    );
  }

  /** Adds to (or overrides) what the stream's attributes are from now on. */
  setAttributes(attributes: Attributes): void {
    this.#attributes = mergeAttributes(this.#attributes, checkedAttributes(attributes));
  }

  sendRequestHeaders({ endOfStream = true }: { readonly endOfStream?: boolean } = {}): Outcome {
    this.#take(this.#requestOrder, "headers", endOfStream);
    this.#create();
    this.#state.request.tellHeaders("proxy_on_request_headers", this.requestHeaders, endOfStream);
    return this.outcome;
  }

  sendRequestBody(data: string | Uint8Array, { endOfStream = true }: { readonly endOfStream?: boolean } = {}): Outcome {
    this.#take(this.#requestOrder, "body", endOfStream);
    this.#whenFree(this.#state.request, () =>
      this.#state.request.tellData("proxy_on_request_body", toBytes(data), endOfStream),
    );
    return this.outcome;
  }

  sendRequestTrailers(trailers: HeadersInput): Outcome {
    this.#take(this.#requestOrder, "trailers", true);
    this.#whenFree(this.#state.request, () =>
      this.#state.request.tellTrailers("proxy_on_request_trailers", new HeaderMap(trailers, "trailers")),
    );
    return this.outcome;
  }

  /** Upstream answers. Default: 200 without a body. */
  sendResponseHeaders(
    headers: HeadersInput = { ":status": "200" },
    { endOfStream = true }: { readonly endOfStream?: boolean } = {},
  ): Outcome {
    if (this.outcome.kind !== "continue")
      throw new HostError("WRONG_ORDER", `upstream cannot answer: the stream is ${this.outcome.kind}`);
    const map = new HeaderMap(headers, "response");
    this.#state.responseHeaders = map;
    if (!map.has(":status")) throw new HostError("WRONG_ORDER", "response headers need :status");
    this.#take(this.#responseOrder, "headers", endOfStream);
    this.#state.response.tellHeaders("proxy_on_response_headers", map, endOfStream);
    return this.outcome;
  }

  sendResponseBody(
    data: string | Uint8Array,
    { endOfStream = true }: { readonly endOfStream?: boolean } = {},
  ): Outcome {
    this.#take(this.#responseOrder, "body", endOfStream);
    this.#whenFree(this.#state.response, () =>
      this.#state.response.tellData("proxy_on_response_body", toBytes(data), endOfStream),
    );
    return this.outcome;
  }

  sendResponseTrailers(trailers: HeadersInput): Outcome {
    this.#take(this.#responseOrder, "trailers", true);
    this.#whenFree(this.#state.response, () =>
      this.#state.response.tellTrailers("proxy_on_response_trailers", new HeaderMap(trailers, "trailers")),
    );
    return this.outcome;
  }

  /** The stream is over: log, done, delete. Once. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#created || !this.#plugin.vm.failure) {
      this.#create();
      this.#state.isLogging = true;
      this.#plugin.vm.invoke(this.#context, "proxy_on_log", this.#id);
      this.#state.isLogging = false;
      this.#plugin.vm.invoke(this.#context, "proxy_on_done", this.#id);
      this.#plugin.vm.invoke(this.#context, "proxy_on_delete", this.#id);
      this.#plugin.vm.contexts.delete(this.#id);
    }
    this.#plugin.closed();
  }

  /** A whole GET-like exchange: request headers, upstream's answer unless the filter replied or paused, end. */
  run(response: HeadersInput = { ":status": "200" }): Outcome {
    const request = this.sendRequestHeaders();
    const outcome = request.kind === "continue" ? this.sendResponseHeaders(response) : request;
    if (outcome.kind !== "paused") this.end();
    return outcome;
  }

  get #context(): Context {
    const found = this.#plugin.vm.contexts.get(this.#id);
    if (found) return found;
    const context: Context = {
      id: this.#id,
      root: this.#plugin,
      rootContext: this.#plugin.context,
      stream: this.#access(),
    };
    this.#plugin.vm.contexts.set(this.#id, context);
    return context;
  }

  #create(): void {
    if (this.#created) return;
    this.#created = true;
    this.#plugin.vm.invoke(this.#context, "proxy_on_context_create", this.#id, this.#plugin.context.id);
  }

  /** What a client or upstream sends once the stream has ended, or out of order, is a mistake of the test. */
  #take(order: StreamOrder, part: "headers" | "body" | "trailers", isLast: boolean): void {
    if (this.#ended) throw new HostError("WRONG_ORDER", "the stream has ended: nothing can be sent on it any more");
    if (!this.#reply && !this.#reset) order.take(part, isLast);
  }

  #caller(): ModuleCaller {
    const self = this;
    return {
      call(callback, ...rest) {
        const status = self.#plugin.vm.call(self.#context, callback, self.#id, ...rest) ?? 0;
        return { status, stopped: self.#plugin.vm.stopped };
      },
      isAlive() {
        if (!self.#plugin.vm.failure) return true;
        if (self.#plugin.failurePolicy !== "open") self.#fail();
        return false;
      },
      settle: () => self.#plugin.vm.settle(),
      allowOnHeadersStopIteration: self.#plugin.allowOnHeadersStopIteration,
    };
  }

  #whenFree(side: StreamSide, work: () => void): void {
    if (!this.#reply && !this.#reset) side.whenFree(work);
  }

  #fail(): void {
    if (this.#reply) return;
    const request: ReplyRequest = {
      status: 503,
      details: "wasm_fail_stream",
      body: new Uint8Array(),
      headers: [],
      grpcStatus: 14,
    };
    this.#setReply(request, true);
  }

  /** A local reply passes the filter's own response callbacks, as any response. */
  #setReply(request: ReplyRequest, isFailure: boolean): void {
    const { headers, body } = buildReply(
      request,
      this.requestHeaders.get("content-type")?.startsWith("application/grpc") ?? false,
    );
    this.#state.responseHeaders = headers;
    this.#state.request.paused = false;
    this.#state.response = new StreamSide(this.#module);
    const reply = { status: request.status, details: request.details, body: latin1(body), headers, isFailure };
    this.#reply = reply;
    if (isFailure || !this.#created) return;
    this.#state.response.tellHeaders("proxy_on_response_headers", headers, body.length === 0);
    if (body.length === 0) return;
    this.#state.response.tellData("proxy_on_response_body", body, true);
    this.#reply = { ...reply, body: latin1(this.#state.response.body.sent) };
  }

  #attributeTrees(): AttributeTree[] {
    const environment = this.#plugin.vm.environment;
    const derived = derivedAttributes({
      id: this.#id,
      state: this.#state,
      replyDetails: this.#reply?.details,
      startedWallNs: this.#startedWallNs,
      durationNs: this.#state.isLogging ? environment.clock.monotonicNs - this.#startedNs : undefined,
    });
    return [this.#attributes, environment.attributes, ...derived];
  }

  #access(): StreamAccess {
    const { vm } = this.#plugin;
    return streamAccess(this.#state, {
      attributeTrees: () => this.#attributeTrees(),
      reply: (reply) => {
        if (!this.#reply && !this.#ended) this.#setReply(reply, false);
      },
      resume: (direction) =>
        vm.defer(() => {
          if (!this.#reply) this.#state[direction].resume();
        }),
      reset: () =>
        vm.defer(() => {
          this.#reset = true;
        }),
    });
  }
}
