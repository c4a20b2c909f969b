import { type AttributeTree, checkedAttributes } from "./attributes.ts";
import type { BodyBuffer, Context, StreamAccess } from "./context.ts";
import type { Attributes } from "./known-attributes.ts";
import { toBytes } from "./pairs.ts";
import type { PluginInstance } from "./plugin.ts";

/** A connection as a test describes it. */
export interface ConnectionOptions {
  /** On top of the host's attributes. */
  readonly attributes?: Attributes;
  /** Index of the worker that serves it, default 0. */
  readonly worker?: number;
}

const PEERS = { unknown: 0, local: 1, remote: 2 } as const;

/** One TCP connection through a network filter, driven step by step by a test. */
export class TcpConnection {
  /** The filter, or its failure, closed it, or the test did. */
  isClosed = false;
  readonly #plugin: PluginInstance;
  readonly #id: number;
  readonly #context: Context;
  readonly #attributes: AttributeTree;
  readonly #filterState = new Map<string, Uint8Array>();
  #downstream: BodyBuffer | undefined;
  #upstream: BodyBuffer | undefined;
  #isHeld = false;
  #isLogging = false;
  #forwarded: Uint8Array[] = [];
  #returned: Uint8Array[] = [];

  constructor(plugin: PluginInstance, options: ConnectionOptions) {
    this.#plugin = plugin;
    this.#id = plugin.vm.allocateContextId();
    this.#attributes = checkedAttributes(options.attributes ?? {});
    this.#context = { id: this.#id, root: plugin, rootContext: plugin.context, stream: this.#access() };
    plugin.vm.contexts.set(this.#id, this.#context);
    plugin.opened();
    plugin.vm.invoke(this.#context, "proxy_on_context_create", this.#id, plugin.context.id);
    this.#isHeld = this.#ask("proxy_on_new_connection", this.#id) !== 0;
    plugin.vm.settle();
  }

  /** Bytes that went on to upstream. */
  get forwarded(): Uint8Array {
    return Buffer.concat(this.#forwarded);
  }

  /** Bytes that went on to the client. */
  get returned(): Uint8Array {
    return Buffer.concat(this.#returned);
  }

  /** Whether data of the client wait for the filter. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** The client sends. Held data are seen again, together with what comes. */
  sendDownstream(data: string | Uint8Array, { endOfStream = false }: { readonly endOfStream?: boolean } = {}): void {
    if (this.isClosed) return;
    const buffer = { data: Buffer.concat([this.#downstream?.data ?? new Uint8Array(), toBytes(data)]) as Uint8Array };
    this.#downstream = buffer;
    const isStopped = this.#ask("proxy_on_downstream_data", this.#id, buffer.data.length, Number(endOfStream)) !== 0;
    this.#isHeld = isStopped;
    if (!isStopped) this.#release();
    this.#plugin.vm.settle();
  }

  /** Upstream sends; `endOfStream` also tells the filter that upstream closed. */
  sendUpstream(data: string | Uint8Array, { endOfStream = false }: { readonly endOfStream?: boolean } = {}): void {
    if (this.isClosed) return;
    const buffer: BodyBuffer = { data: toBytes(data) };
    this.#upstream = buffer;
    const isStopped = this.#ask("proxy_on_upstream_data", this.#id, buffer.data.length, Number(endOfStream)) !== 0;
    if (!isStopped) this.#returned.push(buffer.data);
    if (!isStopped) this.#upstream = undefined;
    this.#plugin.vm.settle();
    if (endOfStream)
      this.#plugin.vm.invoke(this.#context, "proxy_on_upstream_connection_close", this.#id, PEERS.unknown);
  }

  /** The connection ends: close, done, log, delete. Once. */
  close(peer: keyof typeof PEERS = "remote"): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const vm = this.#plugin.vm;
    vm.invoke(this.#context, "proxy_on_downstream_connection_close", this.#id, PEERS[peer]);
    vm.invoke(this.#context, "proxy_on_done", this.#id);
    this.#isLogging = true;
    vm.invoke(this.#context, "proxy_on_log", this.#id);
    vm.invoke(this.#context, "proxy_on_delete", this.#id);
    vm.contexts.delete(this.#id);
    this.#plugin.closed();
  }

  /** Calls the filter; a dead VM means close (or, failing open, go on). */
  #ask(callback: string, ...args: number[]): number {
    const result = this.#plugin.vm.call(this.#context, callback, ...args) ?? 0;
    if (this.#plugin.vm.failure && this.#plugin.failurePolicy !== "open") {
      this.close("local");
      return 1;
    }
    return result;
  }

  #release(): void {
    if (this.#downstream) this.#forwarded.push(this.#downstream.data);
    this.#downstream = undefined;
    this.#isHeld = false;
  }

  #access(): StreamAccess {
    const self = this;
    const none = {
      isHttp: false,
      requestMap: undefined,
      requestTrailerMap: undefined,
      responseMap: undefined,
      changeable: () => undefined,
      createTrailers: () => undefined,
      responseTrailerMap: undefined,
      requestBuffer: undefined,
      responseBuffer: undefined,
    };
    return {
      ...none,
      get downstreamBuffer() {
        return self.#downstream;
      },
      get upstreamBuffer() {
        return self.#upstream;
      },
      get isLogging() {
        return self.#isLogging;
      },
      get attributeTrees() {
        const own = {
          source: { address: "127.0.0.1:50000", port: 50000 },
          destination: { address: "127.0.0.1:10000", port: 10000 },
          connection: { mtls: false, id: self.#id },
          connection_id: self.#id,
        };
        return [self.#attributes, self.#plugin.vm.environment.attributes, own];
      },
      filterState: self.#filterState,
      headersModified: () => {},
      clearRouteCache: () => {},
      sendLocalReply: () => {},
      continueStream: (type) => {
        if (type === 2) self.#plugin.vm.defer(() => self.#release());
      },
      closeStream: (type) => {
        if (type >= 2) self.#plugin.vm.defer(() => self.close("local"));
      },
    };
  }
}
