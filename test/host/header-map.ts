import { decodePairs, encodePairs, latin1, toBytes } from "./pairs.ts";

/** Headers as a test writes them: an object (a list for repeated values) or pairs. */
export type HeadersInput =
  | Readonly<Record<string, string | Uint8Array | readonly (string | Uint8Array)[]>>
  | readonly (readonly [string, string | Uint8Array])[];

/** Whose headers: Envoy keeps other names as one entry in each. */
export type HeaderKind = "request" | "response" | "trailers";

// Envoy keeps one entry for these and joins a second value to the first with a comma (seen on Envoy 1.40).
const IN_BOTH = [
  "connection",
  "content-length",
  "content-type",
  "content-encoding",
  "cache-control",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-request-id",
  "x-envoy-attempt-count",
  "x-envoy-decorator-operation",
];
const JOINED: Readonly<Record<HeaderKind, ReadonlySet<string>>> = {
  request: new Set([
    ...IN_BOTH,
    ":method",
    ":path",
    ":scheme",
    ":authority",
    ":protocol",
    "accept",
    "accept-encoding",
    "authorization",
    "origin",
    "pragma",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-request-private-network",
    "referer",
    "user-agent",
    "expect",
    "te",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-client-trace-id",
    "grpc-timeout",
    "grpc-accept-encoding",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-original-path",
    "x-envoy-external-address",
    "x-envoy-internal",
  ]),
  response: new Set([
    ...IN_BOTH,
    ":status",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "etag",
    "expires",
    "last-modified",
    "location",
    "proxy-status",
    "vary",
    "date",
    "server",
    "grpc-status",
    "grpc-message",
    "x-envoy-ratelimited",
    "x-envoy-upstream-service-time",
  ]),
  trailers: new Set(["grpc-status", "grpc-message"]),
};

/**
 * An ordered header map with Envoy's rules: lower-case names, pseudo headers first, some headers joined with commas.
 * Values are bytes.
 */
export class HeaderMap {
  #entries: [string, Uint8Array][] = [];
  readonly #joined: ReadonlySet<string>;

  constructor(input: HeadersInput = [], kind: HeaderKind = "request") {
    this.#joined = JOINED[kind];
    const pairs = Array.isArray(input)
      ? (input as readonly (readonly [string, string | Uint8Array])[])
      : flatten(input as Record<string, string>);
    for (const [name, value] of pairs) this.add(name, value);
  }

  /** A map with the pairs a module sent. */
  static decode(bytes: Uint8Array): HeaderMap {
    return new HeaderMap(decodePairs(bytes).map(([name, value]) => [latin1(name), value] as const));
  }

  get size(): number {
    return this.#entries.length;
  }

  /** All values joined with ",", as a string; undefined if absent. */
  get(name: string): string | undefined {
    const values = this.all(name);
    return values.length === 0 ? undefined : values.join(",");
  }

  /** Every value, in order. */
  all(name: string): string[] {
    const key = name.toLowerCase();
    return this.#entries.filter(([entry]) => entry === key).map(([, value]) => latin1(value));
  }

  /** The first value's bytes, which is what a single read gives. */
  first(name: string): Uint8Array | undefined {
    const key = name.toLowerCase();
    return this.#entries.find(([entry]) => entry === key)?.[1];
  }

  has(name: string): boolean {
    return this.first(name) !== undefined;
  }

  add(name: string, value: string | Uint8Array): void {
    const key = name.toLowerCase();
    const existing = this.#joined.has(key) ? this.#entries.find(([entry]) => entry === key) : undefined;
    if (existing) existing[1] = Buffer.concat([existing[1], Buffer.from(","), toBytes(value)]);
    else this.#entries.splice(this.#placeOf(key), 0, [key, toBytes(value).slice()]);
  }

  /** Sets the one value; it comes last (of the pseudo headers, or of all), as in Envoy. */
  replace(name: string, value: string | Uint8Array): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Where a new entry goes: pseudo headers stand before the others. */
  #placeOf(key: string): number {
    const others = key.startsWith(":") ? this.#entries.findIndex(([entry]) => !entry.startsWith(":")) : -1;
    return others < 0 ? this.#entries.length : others;
  }

  remove(name: string): void {
    const key = name.toLowerCase();
    this.#entries = this.#entries.filter(([entry]) => entry !== key);
  }

  /** Replaces everything. */
  assign(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): void {
    this.#entries = [];
    for (const [name, value] of pairs) this.add(latin1(name), value);
  }

  /** Name and value pairs as strings, in order. */
  entries(): [string, string][] {
    return this.#entries.map(([name, value]) => [name, latin1(value)]);
  }

  /** Names as strings and values as bytes, in order. */
  byteEntries(): [string, Uint8Array][] {
    return this.#entries.map(([name, value]) => [name, value.slice()]);
  }

  /** Names and values as an object; repeated values joined with ",". */
  toObject(): Record<string, string> {
    return Object.fromEntries(this.#entries.map(([name]) => [name, this.get(name) ?? ""]));
  }

  /** Bytes of all names and values, as Envoy counts a map's size. */
  byteSize(): number {
    return this.#entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  }

  encode(): Uint8Array {
    return encodePairs(this.#entries.map(([name, value]) => [toBytes(name), value]));
  }
}

function flatten(
  headers: Record<string, string | Uint8Array | readonly (string | Uint8Array)[]>,
): (readonly [string, string | Uint8Array])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    Array.isArray(value)
      ? value.map((one: string | Uint8Array) => [name, one] as const)
      : [[name, value as string | Uint8Array] as const],
  );
}
