// Bytes of discovery messages. Resources were encoded once, responses are encoded once per content; a stream adds its nonce.
import protobuf from "protobufjs/light.js";
import { decode } from "../../protos/codec.ts";
import type { Node } from "../../protos/build/envoy.ts";
import type { SendEffect, StreamRequest, WireResource } from "./stream-events.ts";
import type { Dialect } from "./type-state.ts";

// Tags of envoy.service.discovery.v3.DeltaDiscoveryResponse and DiscoveryResponse, all length-delimited: field number << 3 | 2.
const TAG = { sotwVersion: (1 << 3) | 2, resources: (2 << 3) | 2, typeUrl: (4 << 3) | 2, nonce: (5 << 3) | 2, sotwControlPlane: (6 << 3) | 2, removed: (6 << 3) | 2, deltaControlPlane: (7 << 3) | 2 };
/** Of Resource. */
const RESOURCE_PAYLOAD = (2 << 3) | 2, RESOURCE_NAME = (3 << 3) | 2;

/** A response's bytes: what streams share, and this stream's nonce. */
export interface EncodedResponse {
  /** The shared part; behind its `length` bytes there is room for what is a stream's own. */
  readonly shared: Uint8Array;
  readonly length: number;
  readonly own: Uint8Array;
}

/** Room for a nonce of up to 16 digits, its tag and length. */
const OWN_ROOM = 18;

/** The message. It stands in the shared bytes and holds until the next stream's is joined: copy it before. */
export function joinResponse({ shared, length, own }: EncodedResponse): Uint8Array {
  shared.set(own, length);
  return shared.subarray(0, length + own.length);
}

/** Encodes responses; the shared part of the last few is remembered, so that many streams that are sent the same share its bytes. */
export interface ResponseEncoder {
  encodeResponse(dialect: Dialect, response: SendEffect): EncodedResponse;
}

interface Remembered { readonly dialect: Dialect; readonly response: SendEffect; readonly shared: Uint8Array }

/** Bodies of this many responses are remembered: streams of one class come by turns, type after type. */
const REMEMBERED = 16;

/** An encoder whose every response carries this identifier of the control plane. */
export function createResponseEncoder(controlPlane: string): ResponseEncoder {
  const last: Remembered[] = [];
  const identifier = protobuf.Writer.create().uint32((1 << 3) | 2).string(controlPlane).finish();
  return {
    encodeResponse(dialect, response) {
      const known = last.findIndex((other) => other.dialect === dialect && isSameBody(other.response, response));
      const [found] = known < 0 ? [] : last.splice(known, 1);
      const body = found ?? { dialect, response, shared: withRoom(encodeShared(dialect, response, identifier)) };
      last.unshift(body);
      if (last.length > REMEMBERED) last.pop();
      return { shared: body.shared, length: body.shared.length - OWN_ROOM, own: protobuf.Writer.create().uint32(TAG.nonce).string(response.nonce).finish() };
    },
  };
}

function withRoom(bytes: Uint8Array): Uint8Array {
  const roomy = Buffer.allocUnsafeSlow(bytes.length + OWN_ROOM);
  roomy.set(bytes);
  return roomy;
}

/** Resources are interned: equal content is the same object. */
function isSameBody(left: SendEffect, right: SendEffect): boolean {
  if (left.typeUrl !== right.typeUrl || left.version !== right.version || left.updates.length !== right.updates.length || left.removed.length !== right.removed.length) return false;
  return left.updates.every((resource, index) => resource === right.updates[index]) && left.removed.every((name, index) => name === right.removed[index]);
}

function encodeShared(dialect: Dialect, { updates, removed, typeUrl, version }: SendEffect, identifier: Uint8Array): Uint8Array {
  const writer = protobuf.Writer.create();
  if (dialect === "sotw") {
    writer.uint32(TAG.sotwVersion).string(version);
    for (const resource of updates) writer.uint32(TAG.resources).bytes(payloadOf(resource));
    return writer.uint32(TAG.typeUrl).string(typeUrl).uint32(TAG.sotwControlPlane).bytes(identifier).finish();
  }
  for (const { bytes } of updates) writer.uint32(TAG.resources).bytes(bytes);
  writer.uint32(TAG.typeUrl).string(typeUrl);
  for (const name of removed) writer.uint32(TAG.removed).string(name);
  return writer.uint32(TAG.deltaControlPlane).bytes(identifier).finish();
}

/** The Any inside the bytes of a Resource, without a copy: what the state of the world sends of it. */
export function payloadOf({ bytes }: Pick<WireResource, "bytes">): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag !== RESOURCE_PAYLOAD) {
      reader.skipType(tag & 7);
      continue;
    }
    const length = reader.uint32();
    return bytes.subarray(reader.pos, reader.pos + length);
  }
  return bytes.subarray(0, 0);
}

/** A resource whose payload is already an Any's bytes. */
export function wrapAny({ name, bytes }: { readonly name: string; readonly bytes: Uint8Array }): WireResource {
  return { name, version: "", bytes: protobuf.Writer.create().uint32(RESOURCE_NAME).string(name).uint32(RESOURCE_PAYLOAD).bytes(bytes).finish() };
}

export interface DecodedRequest { readonly request: StreamRequest; readonly node: Node | undefined }

/** A discovery request of a dialect and the node in it, if there is one; undefined for bytes that are none. */
export function decodeRequest(dialect: Dialect, bytes: Uint8Array): DecodedRequest | undefined {
  try {
    return dialect === "delta" ? decodeDelta(bytes) : decodeStateOfTheWorld(bytes);
  } catch {
    return undefined;
  }
}

function decodeDelta(bytes: Uint8Array): DecodedRequest {
  const message = decode("DeltaDiscoveryRequest", bytes);
  const names = { dialect: "delta", subscribe: message.resourceNamesSubscribe ?? [], unsubscribe: message.resourceNamesUnsubscribe ?? [], initialVersions: message.initialResourceVersions ?? {} } as const;
  return { request: { ...names, ...answerOf(message) }, node: message.node };
}

function decodeStateOfTheWorld(bytes: Uint8Array): DecodedRequest {
  const message = decode("DiscoveryRequest", bytes);
  const names = { dialect: "sotw", names: message.resourceNames ?? [], version: message.versionInfo ?? "" } as const;
  return { request: { ...names, ...answerOf(message) }, node: message.node };
}

interface Answer { readonly typeUrl?: string; readonly responseNonce?: string; readonly errorDetail?: { readonly message?: string } }

function answerOf({ typeUrl = "", responseNonce = "", errorDetail }: Answer): Pick<StreamRequest, "typeUrl" | "nonce" | "error"> {
  return { typeUrl, nonce: responseNonce, error: errorDetail === undefined ? undefined : (errorDetail.message ?? "rejected without a reason") };
}
