// consumes: a module, its configuration, one request
// produces: which host functions it calls per request and the time its own code takes, on a host that answers at once
// never does: what a host does with a call: that is what the bench on Envoy measures
import { readFileSync } from "node:fs";
import type { WasmPart } from "./cases.ts";
import { PROPERTIES, REQUEST } from "./examples.ts";

/** What a request costs a module, apart from the host's work. */
export interface GuestCost {
  /** Entries into the VM and calls out of it, by name, per request. */
  readonly entries: Readonly<Record<string, number>>;
  readonly calls: Readonly<Record<string, number>>;
  /** Nanoseconds per request in the module's code and in crossing to this trivial host and back. */
  readonly nanoseconds: number;
  /** Linear memory once it serves. */
  readonly memoryBytes: number;
}

type Entry = (...args: number[]) => number;
interface Memory {
  readonly buffer: ArrayBuffer;
}
declare const WebAssembly: {
  readonly Module: (new (
    bytes: Uint8Array,
  ) => object) & { imports(module: object): { module: string; name: string }[] };
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

const WARM_UP = 20_123;
const REQUESTS = 1000;
const SLICES = 400;
const ENTRIES = [
  "proxy_on_context_create",
  "proxy_on_request_headers",
  "proxy_on_response_headers",
  "proxy_on_response_body",
  "proxy_on_log",
  "proxy_on_done",
  "proxy_on_delete",
] as const;

/** Returns what one request costs all modules of a chain together; undefined where there are none. */
export function guestCostOf(
  parts: readonly WasmPart[],
):
  | { readonly entries: number; readonly calls: number; readonly nanoseconds: number; readonly memoryBytes: number }
  | undefined {
  if (parts.length === 0) return undefined;
  const costs = parts.map((part) => guestCost(part));
  const sum = (pick: (cost: GuestCost) => number): number => costs.reduce((total, cost) => total + pick(cost), 0);
  const countOf = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  return {
    entries: sum(({ entries }) => countOf(entries)),
    calls: sum(({ calls }) => countOf(calls)),
    nanoseconds: sum(({ nanoseconds }) => nanoseconds),
    memoryBytes: sum(({ memoryBytes }) => memoryBytes),
  };
}

/** Returns what one request costs. `turns`: how many requests are timed. */
export function guestCost(part: WasmPart, turns = REQUESTS): GuestCost {
  const guest = new Guest(part);
  for (let i = 0; i < (turns < REQUESTS ? turns : WARM_UP); i++) guest.request();
  guest.calls.clear();
  guest.request();
  const calls = Object.fromEntries([...guest.calls].sort(([a], [b]) => a.localeCompare(b)));
  guest.counts = false;
  // The quickest of many slices: whatever else ran meanwhile only ever makes one slower.
  let nanoseconds = Infinity;
  for (let slice = 0; slice < SLICES; slice++) {
    const started = process.hrtime.bigint();
    for (let i = 0; i < turns; i++) guest.request();
    nanoseconds = Math.min(nanoseconds, Number(process.hrtime.bigint() - started) / turns);
  }
  return {
    entries: Object.fromEntries(guest.entries.map(([name]) => [name, 1])),
    calls,
    nanoseconds,
    memoryBytes: guest.memoryBytes,
  };
}

/** Returns a module's linear memory after `requests` requests, and how much of it came after the first ones. */
export function memoryGrowth(part: WasmPart, requests: number): { readonly bytes: number; readonly grown: number } {
  const guest = new Guest(part);
  guest.counts = false;
  for (let i = 0; i < Math.min(WARM_UP, requests); i++) guest.request();
  const before = guest.memoryBytes;
  for (let i = 0; i < requests; i++) guest.request();
  return { bytes: guest.memoryBytes, grown: guest.memoryBytes - before };
}

class Guest {
  readonly calls = new Map<string, number>();
  /** Whether calls are counted: counting takes longer than most of them. */
  counts = true;
  readonly entries: readonly (readonly [string, Entry])[];
  readonly #exports: Record<string, unknown>;
  readonly #allocate: Entry;
  readonly #configuration: Uint8Array;
  readonly #properties = new Map<string, Uint8Array>();
  readonly #shared = new Map<string, { value: Uint8Array; version: number }>();
  readonly #pairs: Uint8Array;
  readonly #headers = new Map<string, Uint8Array>();
  #view: DataView;
  #bytes: Uint8Array;
  #metrics = 0;
  #id = 1;
  #now = 1_000_000_000n;

  constructor({ path, configuration }: WasmPart) {
    this.#configuration = Buffer.from(configuration);
    for (const [name, value] of Object.entries(PROPERTIES)) this.#properties.set(name.replaceAll("/", "\0"), value);
    const headers: readonly (readonly [string, string])[] = [
      [":authority", "reviews"],
      [":path", REQUEST.path],
      [":method", "GET"],
      [":scheme", "http"],
      ...Object.entries(REQUEST.headers),
      ["x-forwarded-proto", "http"],
    ];
    this.#pairs = encodePairs(headers);
    for (const [name, value] of headers) this.#headers.set(name, Buffer.from(value));
    const module = new WebAssembly.Module(readFileSync(path));
    const imports: Record<string, Record<string, Entry>> = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module))
      (imports[from] ??= {})[name] = this.#hostFunction(name);
    this.#exports = new WebAssembly.Instance(module, imports).exports;
    const buffer = (this.#exports["memory"] as Memory).buffer;
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#allocate = (this.#exports["malloc"] ?? this.#exports["proxy_on_memory_allocate"]) as Entry;
    this.#start();
    this.entries = ENTRIES.flatMap((name) =>
      typeof this.#exports[name] === "function" ? [[name, this.#exports[name] as Entry] as const] : [],
    );
  }

  get memoryBytes(): number {
    return (this.#exports["memory"] as Memory).buffer.byteLength;
  }

  request(): void {
    const id = ++this.#id;
    for (const [name, enter] of this.entries) {
      if (name === "proxy_on_context_create") enter(id, 1);
      else if (name === "proxy_on_log" || name === "proxy_on_done" || name === "proxy_on_delete") enter(id);
      else enter(id, 10, 1);
    }
  }

  #start(): void {
    const call = (name: string, ...args: number[]): number =>
      typeof this.#exports[name] === "function" ? (this.#exports[name] as Entry)(...args) : 1;
    call("_initialize");
    call("proxy_on_context_create", 1, 0);
    call("proxy_on_vm_start", 1, 0);
    if (call("proxy_on_configure", 1, this.#configuration.length) === 0)
      throw new Error("the module refused its configuration");
  }

  #memory(): DataView {
    const { buffer } = this.#exports["memory"] as Memory;
    if (this.#view.buffer !== buffer) {
      this.#view = new DataView(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
    return this.#view;
  }

  #give(value: Uint8Array, pointerAt: number, lengthAt: number): number {
    const at = this.#allocate(value.length);
    const view = this.#memory();
    this.#bytes.set(value, at);
    view.setUint32(pointerAt, at, true);
    view.setUint32(lengthAt, value.length, true);
    return 0;
  }

  #text(at: number, length: number): string {
    this.#memory();
    return Buffer.from(this.#bytes.buffer, at, length).toString("latin1");
  }

  #hostFunction(name: string): Entry {
    const answer = this.#answers[name] ?? ((): number => 0);
    return (...args: number[]) => {
      if (this.counts) this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      return answer(...args);
    };
  }

  readonly #answers: Readonly<Record<string, Entry>> = {
    proxy_log: () => 0,
    proxy_get_log_level: (at = 0) => (this.#memory().setUint32(at, 3, true), 0),
    proxy_get_header_map_pairs: (_map = 0, at = 0, lengthAt = 0) => this.#give(this.#pairs, at, lengthAt),
    proxy_get_header_map_value: (_map = 0, name = 0, length = 0, at = 0, lengthAt = 0) => {
      const value = this.#headers.get(this.#text(name, length));
      return value === undefined ? 1 : this.#give(value, at, lengthAt);
    },
    proxy_get_current_time_nanoseconds: (at = 0) => (this.#memory().setBigInt64(at, (this.#now += 20_000n), true), 0),
    proxy_get_property: (path = 0, length = 0, at = 0, lengthAt = 0) => {
      const value = this.#properties.get(this.#text(path, length));
      return value === undefined ? 1 : this.#give(value, at, lengthAt);
    },
    proxy_get_buffer_bytes: (_kind = 0, _start = 0, _most = 0, at = 0, lengthAt = 0) =>
      this.#give(this.#configuration, at, lengthAt),
    proxy_define_metric: (_kind = 0, _name = 0, _length = 0, at = 0) => (
      this.#memory().setUint32(at, ++this.#metrics, true), 0
    ),
    proxy_get_shared_data: (key = 0, length = 0, at = 0, lengthAt = 0, versionAt = 0) => {
      const found = this.#shared.get(this.#text(key, length));
      if (found === undefined) return 1;
      this.#memory().setUint32(versionAt, found.version, true);
      return this.#give(found.value, at, lengthAt);
    },
    proxy_set_shared_data: (key = 0, length = 0, at = 0, valueLength = 0) => {
      const name = this.#text(key, length);
      this.#shared.set(name, {
        value: this.#bytes.slice(at, at + valueLength),
        version: (this.#shared.get(name)?.version ?? 0) + 1,
      });
      return 0;
    },
    clock_time_get: (_clock = 0, _precision = 0, at = 0) => (
      this.#memory().setBigInt64(at, (this.#now += 20_000n), true), 0
    ),
  };
}

/** The pairs as a host serializes them: count, lengths, then name NUL value NUL. */
function encodePairs(pairs: readonly (readonly [string, string])[]): Uint8Array {
  const head = Buffer.alloc(4 + pairs.length * 8);
  head.writeUInt32LE(pairs.length, 0);
  pairs.forEach(([name, value], index) => {
    head.writeUInt32LE(name.length, 4 + index * 8);
    head.writeUInt32LE(value.length, 8 + index * 8);
  });
  return Buffer.concat([head, ...pairs.map(([name, value]) => Buffer.from(`${name}\0${value}\0`))]);
}
