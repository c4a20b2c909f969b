import { type AttributeTree, checkedAttributes, mergeAttributes } from "./attributes.ts";
import type { BodyBuffer, Context, StreamAccess } from "./context.ts";
import { HostError } from "./errors.ts";
import { HeaderMap, type HeadersInput } from "./header-map.ts";
import type { Attributes } from "./known-attributes.ts";
import { buildReply, type LocalReply, type ReplyRequest } from "./local-reply.ts";
import { latin1, toBytes } from "./pairs.ts";
import type { PluginInstance } from "./plugin.ts";
import { MapType } from "./status.ts";
import { derivedAttributes } from "./stream-attributes.ts";
import { StreamOrder } from "./stream-order.ts";
import { type ModuleCaller, StreamSide } from "./stream-side.ts";

/** Where a stream stands. `paused`: held by the filter until it continues. `reset`: closed by the filter. */
export type Outcome =
  | { readonly kind: "continue" }
  | { readonly kind: "paused" }
  | { readonly kind: "replied"; readonly reply: LocalReply }
  | { readonly kind: "reset" };

/** A stream as a test describes it. */
export interface StreamOptions {
  /** Default: GET / on example.com over http. */
  readonly headers?: HeadersInput;
  /** On top of the host's attributes. */
  readonly attributes?: Attributes;
  /** Index of the worker that serves it, default 0. */
  readonly worker?: number;
}

const DEFAULT_HEADERS = { ":method": "GET", ":path": "/", ":authority": "example.com", ":scheme": "http" };

/**
 * One HTTP stream through the filter, driven step by step by a test: request headers, body, trailers, response …,
 * `end()`.
 */
export class HttpStream {
  /** The request's headers as they are now: after the filter continued, what upstream gets. */
  readonly requestHeaders: HeaderMap;
  /** The response's headers as they are now. */
  responseHeaders: HeaderMap | undefined;
  /** Filter state the filter set: `wasm.<name>` → value as text. */
  readonly #filterState = new Map<string, Uint8Array>();
  /** How often the route was chosen anew (foreign function, or a changed request header). */
  routeCacheCleared = 0;
  #attributes: AttributeTree;
  readonly #plugin: PluginInstance;
  readonly #id: number;
  readonly #module: ModuleCaller;
  readonly #request: StreamSide;
  #response: StreamSide;
  readonly #requestOrder = new StreamOrder("request");
  readonly #responseOrder = new StreamOrder("response");
  #created = false;
  #ended = false;
  #isLogging = false;
  #reset = false;
  #reply: LocalReply | undefined;
  readonly #startedNs: bigint;
  readonly #startedWallNs: bigint;

  constructor(plugin: PluginInstance, options: StreamOptions) {
    this.#plugin = plugin;
    this.#id = plugin.vm.allocateContextId();
    this.#module = this.#caller();
    this.#request = new StreamSide(this.#module);
    this.#response = new StreamSide(this.#module);
    const given = new HeaderMap(options.headers ?? []);
    const missing = Object.entries(DEFAULT_HEADERS).filter(([name]) => !given.has(name));
    this.requestHeaders = new HeaderMap([...missing, ...given.byteEntries()]);
    this.#attributes = checkedAttributes(options.attributes ?? {});
    this.#startedNs = plugin.vm.environment.clock.monotonicNs;
    this.#startedWallNs = plugin.vm.environment.clock.wallNs;
    plugin.opened();
  }

  /** The context's id, as the module knows it. */
  get id(): number {
    return this.#id;
  }

  /** Where the stream stands. */
  get outcome(): Outcome {
    if (this.#reset) return { kind: "reset" };
    if (this.#reply) return { kind: "replied", reply: this.#reply };
    return { kind: this.#request.paused || this.#response.paused ? "paused" : "continue" };
  }

  /** The local reply, if there is one. */
  get reply(): LocalReply | undefined {
    return this.#reply;
  }

  /** Body bytes that went on to upstream. */
  get requestBody(): Uint8Array {
    return this.#request.body.sent;
  }

  /** Body bytes that went on to the client. */
  get responseBody(): Uint8Array {
    return this.#response.body.sent;
  }

  /** The request's trailers as the filter left them. */
  get requestTrailers(): HeaderMap | undefined {
    return this.#request.sentTrailers;
  }

  /** The response's trailers as the filter left them. */
  get responseTrailers(): HeaderMap | undefined {
    return this.#response.sentTrailers;
  }

  /** Filter state `wasm.<name>` as text, undefined if not set. */
  filterState(name: string): string | undefined {
    const value = this.#filterState.get(`wasm.${name}`);
    return value && latin1(value);
  }

  /** All filter state the filter set, by the name it used, as text. */
  filterStates(): Record<string, string> {
    return Object.fromEntries(
      [...this.#filterState].map(([name, value]) => [name.slice("wasm.".length), latin1(value)]),
    );
  }

  /** Adds to (or overrides) what the stream's attributes are from now on. */
  setAttributes(attributes: Attributes): void {
    this.#attributes = mergeAttributes(this.#attributes, checkedAttributes(attributes));
  }

  sendRequestHeaders({ endOfStream = true }: { readonly endOfStream?: boolean } = {}): Outcome {
    this.#take(this.#requestOrder, "headers", endOfStream);
    this.#create();
    this.#request.tellHeaders("proxy_on_request_headers", this.requestHeaders, endOfStream);
    return this.outcome;
  }

  sendRequestBody(data: string | Uint8Array, { endOfStream = true }: { readonly endOfStream?: boolean } = {}): Outcome {
    this.#take(this.#requestOrder, "body", endOfStream);
    this.#whenFree(this.#request, () => this.#request.tellData("proxy_on_request_body", toBytes(data), endOfStream));
    return this.outcome;
  }

  sendRequestTrailers(trailers: HeadersInput): Outcome {
    this.#take(this.#requestOrder, "trailers", true);
    this.#whenFree(this.#request, () =>
      this.#request.tellTrailers("proxy_on_request_trailers", new HeaderMap(trailers, "trailers")),
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
    this.responseHeaders = new HeaderMap(headers, "response");
    if (!this.responseHeaders.has(":status")) throw new HostError("WRONG_ORDER", "response headers need :status");
    this.#take(this.#responseOrder, "headers", endOfStream);
    this.#response.tellHeaders("proxy_on_response_headers", this.responseHeaders, endOfStream);
    return this.outcome;
  }

  sendResponseBody(
    data: string | Uint8Array,
    { endOfStream = true }: { readonly endOfStream?: boolean } = {},
  ): Outcome {
    this.#take(this.#responseOrder, "body", endOfStream);
    this.#whenFree(this.#response, () => this.#response.tellData("proxy_on_response_body", toBytes(data), endOfStream));
    return this.outcome;
  }

  sendResponseTrailers(trailers: HeadersInput): Outcome {
    this.#take(this.#responseOrder, "trailers", true);
    this.#whenFree(this.#response, () =>
      this.#response.tellTrailers("proxy_on_response_trailers", new HeaderMap(trailers, "trailers")),
    );
    return this.outcome;
  }

  /** The stream is over: log, done, delete. Once. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#created || !this.#plugin.vm.failure) {
      this.#create();
      this.#isLogging = true;
      this.#plugin.vm.invoke(this.#context, "proxy_on_log", this.#id);
      this.#isLogging = false;
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
    };
  }

  #whenFree(side: StreamSide, work: () => void): void {
    if (!this.#reply && !this.#reset) side.whenFree(work);
  }

  #resume(side: StreamSide): void {
    if (!this.#reply) side.resume();
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
    this.responseHeaders = headers;
    this.#request.paused = false;
    this.#response = new StreamSide(this.#module);
    const reply = { status: request.status, details: request.details, body: latin1(body), headers, isFailure };
    this.#reply = reply;
    if (isFailure || !this.#created) return;
    this.#response.tellHeaders("proxy_on_response_headers", headers, body.length === 0);
    if (body.length === 0) return;
    this.#response.tellData("proxy_on_response_body", body, true);
    this.#reply = { ...reply, body: latin1(this.#response.body.sent) };
  }

  #attributeTrees(): AttributeTree[] {
    const environment = this.#plugin.vm.environment;
    const derived = derivedAttributes({
      id: this.#id,
      requestHeaders: this.requestHeaders,
      responseHeaders: this.responseHeaders,
      responseTrailers: this.#response.sentTrailers,
      hasRequestHeaders: this.#request.map !== undefined || this.#isLogging,
      hasResponseHeaders: this.#response.map !== undefined || this.#isLogging,
      requestBytes: this.#request.body.arrivedBytes,
      responseBytes: this.#response.body.sent.length,
      replyDetails: this.#reply?.details,
      startedWallNs: this.#startedWallNs,
      durationNs: this.#isLogging ? environment.clock.monotonicNs - this.#startedNs : undefined,
      filterState: this.#filterState,
    });
    return [this.#attributes, environment.attributes, ...derived];
  }

  /** At the end of a body a filter may add trailers where there are none. */
  #createTrailers(side: StreamSide): HeaderMap | undefined {
    if (!side.isEnding) return undefined;
    side.trailers ??= new HeaderMap([], "trailers");
    side.sentTrailers = side.trailers;
    return side.trailers;
  }

  #access(): StreamAccess {
    const self = this;
    return {
      get requestMap() {
        return self.#isLogging ? self.requestHeaders : self.#request.map;
      },
      get requestTrailerMap() {
        return self.#isLogging ? undefined : self.#request.trailers;
      },
      get responseMap() {
        return self.#isLogging ? self.responseHeaders : self.#response.map;
      },
      get responseTrailerMap() {
        return self.#response.trailers;
      },
      isHttp: true,
      changeable: (type) =>
        [self.#request.map, self.#request.trailers, self.#response.map, self.#response.trailers][type],
      createTrailers: (type) => self.#createTrailers(type === MapType.RequestTrailers ? self.#request : self.#response),
      get requestBuffer(): BodyBuffer | undefined {
        return self.#request.body.visible;
      },
      get responseBuffer(): BodyBuffer | undefined {
        return self.#response.body.visible;
      },
      downstreamBuffer: undefined,
      upstreamBuffer: undefined,
      get isLogging() {
        return self.#isLogging;
      },
      get attributeTrees() {
        return self.#attributeTrees();
      },
      filterState: self.#filterState,
      headersModified: (map) => {
        if (map === MapType.RequestHeaders) self.routeCacheCleared++;
      },
      clearRouteCache: () => {
        self.routeCacheCleared++;
      },
      sendLocalReply: (reply) => {
        if (!self.#reply && !self.#ended) self.#setReply(reply, false);
      },
      continueStream: (type) => self.#plugin.vm.defer(() => self.#resume(type === 0 ? self.#request : self.#response)),
      closeStream: () =>
        self.#plugin.vm.defer(() => {
          self.#reset = true;
        }),
    };
  }
}
