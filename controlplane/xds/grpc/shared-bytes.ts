// Bytes that many responses have in common: all resources of a map, as the fields of a response, are strung together
// once for all proxies that are sent them.
import type { EncodedMap } from "../../snapshot/encode.ts";
import { contentsOf, disjointParts } from "../../snapshot/whole-maps.ts";
import type { WireResource } from "../state-machine/stream-events.ts";

/** The tag of `resources` in DeltaDiscoveryResponse and DiscoveryResponse: field 2, length-delimited. */
const RESOURCES = (2 << 3) | 2;
/** Of fewer resources a copy is not worth being kept. */
const MANY = 16;
/** Copies of maps that are kept: those of the classes that are connecting just now. */
const COPIES_KEPT = 8;
const copies = new Map<EncodedMap, Uint8Array>();

/**
 * Returns these resources of a map as fields of a response, in pieces; they must not be written to. Layers of the map
 * all of which is among them come as one piece each, which others are sent too; undefined where there is no such layer.
 */
export function piecesOf(updates: readonly WireResource[], basis: EncodedMap): readonly Uint8Array[] | undefined {
  const whole = disjointParts(basis).filter((part) => part.size >= MANY && isWithin(part, updates));
  if (whole.length === 0) return undefined;
  const others = updates.filter(({ name }) => !whole.some((part) => part.has(name)));
  return [...whole.map(copyOf), ...others.flatMap(({ bytes }) => [fieldHead(bytes.length), bytes])];
}

function isWithin(part: EncodedMap, updates: readonly WireResource[]): boolean {
  return (
    part.size <= updates.length &&
    updates.reduce((found, { name }) => (part.has(name) ? found + 1 : found), 0) === part.size
  );
}

function copyOf(map: EncodedMap): Uint8Array {
  const copy = copies.get(map) ?? joinFields(contentsOf(map).map(({ bytes }) => bytes));
  copies.delete(map);
  copies.set(map, copy);
  if (copies.size > COPIES_KEPT) copies.delete(copies.keys().next().value!);
  return copy;
}

function joinFields(contents: readonly Uint8Array[]): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(contents.reduce((sum, { length }) => sum + fieldSize(length), 0));
  let at = 0;
  for (const bytes of contents) at = writeField(buffer, at, bytes);
  return buffer;
}

function fieldHead(length: number): Uint8Array {
  const head = new Uint8Array(fieldSize(length) - length);
  writeHead(head, 0, length);
  return head;
}

/** Returns how many bytes a resource of this length takes in a response. */
export function fieldSize(length: number): number {
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5) + length;
}

/** Writes a resource as a field of a response, and returns the place behind it. */
export function writeField(buffer: Uint8Array, at: number, bytes: Uint8Array): number {
  const start = writeHead(buffer, at, bytes.length);
  buffer.set(bytes, start);
  return start + bytes.length;
}

function writeHead(buffer: Uint8Array, start: number, length: number): number {
  let at = start;
  buffer[at++] = RESOURCES;
  for (; length >= 0x80; length >>>= 7) buffer[at++] = (length & 0x7f) | 0x80;
  buffer[at++] = length;
  return at;
}
