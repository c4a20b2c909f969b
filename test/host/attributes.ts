import { HostError } from "./errors.ts";
import type { HeaderMap } from "./header-map.ts";
import { encodePairs, toBytes } from "./pairs.ts";
import { Status } from "./status.ts";
import { encodeMetadata } from "./struct-value.ts";

/**
 * Envoy's attributes as a test writes them: `{ source: { address: "10.0.0.1:5" }, connection: { mtls: true } }`.
 * Strings and bytes arrive raw; booleans as one byte; whole numbers and bigints (also times and durations, in
 * nanoseconds) as 8 bytes of int64; under a step named `metadata` or `…_metadata` numbers are doubles, as in a protobuf
 * Struct. A step may contain dots or slashes.
 */
export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly AttributeValue[]
  | AttributeTree;
export interface AttributeTree {
  readonly [name: string]: AttributeValue | undefined;
}

export type PropertyResult =
  | { readonly status: typeof Status.Ok; readonly bytes: Uint8Array }
  | { readonly status: Exclude<Status, 0> };

function eightBytes(write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(8);
  write(new DataView(bytes.buffer));
  return bytes;
}

/** An attribute's bytes as Envoy serializes them. */
export function encodeAttribute(value: AttributeValue, inStruct: boolean): PropertyResult {
  if (typeof value === "string" || value instanceof Uint8Array) return { status: Status.Ok, bytes: toBytes(value) };
  if (typeof value === "boolean") return { status: Status.Ok, bytes: Uint8Array.of(value ? 1 : 0) };
  if (typeof value === "bigint")
    return { status: Status.Ok, bytes: eightBytes((view) => view.setBigInt64(0, BigInt.asIntN(64, value), true)) };
  if (typeof value === "number") {
    const whole = Number.isSafeInteger(value) && !inStruct;
    return {
      status: Status.Ok,
      bytes: eightBytes((view) => (whole ? view.setBigInt64(0, BigInt(value), true) : view.setFloat64(0, value, true))),
    };
  }
  if (value === null) return { status: Status.SerializationFailure };
  const entries = Array.isArray(value)
    ? value.map((one: AttributeValue) => [one, undefined] as const)
    : Object.entries(value as AttributeTree);
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (const [key, one] of entries) {
    const name = encodeAttribute(key, inStruct);
    const encoded = one === undefined ? { status: Status.Ok, bytes: new Uint8Array() } : encodeAttribute(one, inStruct);
    if (!("bytes" in name) || !("bytes" in encoded)) return { status: Status.SerializationFailure };
    pairs.push([name.bytes, encoded.bytes]);
  }
  return { status: Status.Ok, bytes: encodePairs(pairs) };
}

/**
 * Walks `steps` through the trees and encodes what the first tree that knows the path holds. A name set to `undefined`
 * hides what later trees say.
 */
export function readAttribute(trees: readonly AttributeTree[], path: readonly string[]): PropertyResult {
  const steps = inLowerCase(path);
  if (steps.length === 1 && WHOLE.has(steps[0] ?? "")) return { status: Status.SerializationFailure };
  for (const tree of trees) {
    const found = walk(tree, steps);
    if (found === HIDDEN) return { status: Status.NotFound };
    if (found !== undefined && METADATA.test(steps.at(-1) ?? "") && isTree(found)) return wholeMetadata(trees, steps);
    if (found !== undefined)
      return encodeAttribute(
        found,
        steps.slice(0, -1).some((step) => METADATA.test(step)),
      );
  }
  return { status: Status.NotFound };
}

/** What the first tree that knows the path holds, as it was given; undefined if none does. */
export function findAttribute(trees: readonly AttributeTree[], path: readonly string[]): AttributeValue | undefined {
  const found = trees.map((tree) => walk(tree, inLowerCase(path))).find((one) => one !== undefined);
  return found === HIDDEN ? undefined : (found as AttributeValue | undefined);
}

const HIDDEN = Symbol("hidden");
const METADATA = /(^|_)metadata$/;

/** What Envoy has as a whole, but does not hand out as one. */
const WHOLE = new Set(["request", "response", "connection", "upstream", "source", "destination", "xds"]);

/** Header names are looked up without case. */
function inLowerCase(path: readonly string[]): readonly string[] {
  const [of, kind, name, ...rest] = path;
  return name !== undefined && (of === "request" || of === "response") && (kind === "headers" || kind === "trailers")
    ? [of, kind, name.toLowerCase(), ...rest]
    : path;
}

/** Metadata as a whole are an encoded envoy.config.core.v3.Metadata; of a node, a Struct, they are pairs. */
function wholeMetadata(trees: readonly AttributeTree[], steps: readonly string[]): PropertyResult {
  const found = trees.map((tree) => walk(tree, steps)).find((one) => one !== undefined) as AttributeTree;
  if (steps.at(-2) === "node") return encodeAttribute(found, true);
  return {
    status: Status.Ok,
    bytes: encodeMetadata((found["filter_metadata"] ?? {}) as Parameters<typeof encodeMetadata>[0]),
  };
}

function walk(tree: AttributeTree, steps: readonly string[]): AttributeValue | undefined | typeof HIDDEN {
  let value: AttributeValue = tree;
  for (const step of steps) {
    if (value === null || typeof value !== "object" || value instanceof Uint8Array || !Object.hasOwn(value, step))
      return undefined;
    const next: AttributeValue | undefined = (value as AttributeTree)[step];
    if (next === undefined) return HIDDEN;
    value = next;
  }
  return value;
}

// Everything Envoy 1.40 answers to, besides filter state and the plugin's own names. There is no top-level `node`: it
// is `xds.node`.
const TOP_LEVEL = new Set([
  "request",
  "response",
  "connection",
  "upstream",
  "source",
  "destination",
  "metadata",
  "filter_state",
  "upstream_filter_state",
  "xds",
  "connection_id",
]);

/** Returns the tree if Envoy has all its top-level names; throws a HostError that says which it lacks. */
export function checkedAttributes(tree: AttributeTree): AttributeTree {
  const unknown = Object.keys(tree).filter((name) => !TOP_LEVEL.has(name));
  if (unknown.length === 0) return tree;
  const hint = unknown.some((name) => ["node", "route_name", "cluster_name", "listener_direction"].includes(name))
    ? ` (they are below xds: xds.${unknown[0]})`
    : "";
  throw new HostError(
    "UNSUPPORTED",
    `Envoy has no attribute ${unknown.join(", ")}${hint}; there are: ${[...TOP_LEVEL].join(", ")}`,
  );
}

/** Two trees as one; where both have a leaf, `over` wins. */
export function mergeAttributes(under: AttributeTree, over: AttributeTree): AttributeTree {
  const merged: Record<string, AttributeValue | undefined> = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const below = merged[name];
    merged[name] = isTree(below) && isTree(value) ? mergeAttributes(below, value) : value;
  }
  return merged;
}

function isTree(value: AttributeValue | undefined): value is AttributeTree {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Header values are bytes, held in the strings as Latin-1. */
function bytesOf(value: string | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : Buffer.from(value, "latin1");
}

function joinedHeaders(headers: HeaderMap): AttributeTree {
  return Object.fromEntries(Object.entries(headers.toObject()).map(([name, value]) => [name, bytesOf(value)]));
}

/** A tree without the names that have no value, so that they hide nothing. */
function present(tree: AttributeTree): AttributeTree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== undefined));
}

/** The attributes Envoy derives from the request's headers while it has them. */
export function requestAttributes(headers: HeaderMap): AttributeTree {
  const path = headers.get(":path");
  const query = path?.indexOf("?") ?? -1;
  return {
    request: present({
      headers: joinedHeaders(headers),
      path: bytesOf(path),
      url_path: bytesOf(path === undefined || query < 0 ? path : path.slice(0, query)),
      query: bytesOf(path === undefined ? undefined : query < 0 ? "" : path.slice(query + 1)),
      host: bytesOf(headers.get(":authority")),
      method: bytesOf(headers.get(":method")),
      scheme: bytesOf(headers.get(":scheme")),
      referer: bytesOf(headers.get("referer")),
      useragent: bytesOf(headers.get("user-agent")),
      id: bytesOf(headers.get("x-request-id")),
    }),
  };
}

/** The attributes Envoy derives from the response's headers while it has them. */
export function responseAttributes(headers: HeaderMap): AttributeTree {
  return { response: { headers: joinedHeaders(headers) } };
}
