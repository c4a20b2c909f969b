// Bytes of discovery messages. Resources were encoded once per content; a response only strings them together, in the
// moment in which it is written.
import protobuf from "protobufjs/light.js";
import { decode } from "../../../protos/codec.ts";
import type { Node } from "../../../protos/build/envoy.ts";
import type { SendEffect, StreamRequest, WireResource } from "../state-machine/stream-events.ts";
import { fieldSize, piecesOf, writeField } from "./shared-bytes.ts";
import type { Dialect } from "../state-machine/type-state.ts";

// Tags of envoy.service.discovery.v3.DeltaDiscoveryResponse and DiscoveryResponse, all length-delimited: field number
// << 3 | 2.
const TAG = {
  sotwVersion: (1 << 3) | 2,
  typeUrl: (4 << 3) | 2,
  nonce: (5 << 3) | 2,
  sotwControlPlane: (6 << 3) | 2,
  removed: (6 << 3) | 2,
  deltaControlPlane: (7 << 3) | 2,
};
/** Of Any. */
const ANY_VALUE = (2 << 3) | 2;
/** Of Resource. */
const RESOURCE_PAYLOAD = (2 << 3) | 2,
  RESOURCE_NAME = (3 << 3) | 2,
  RESOURCE_ALIASES = (4 << 3) | 2;
/** Of DeltaDiscoveryResponse. */
const RESOURCES = (2 << 3) | 2;

/**
 * A response that has yet to become bytes: that happens when the transport takes it. To grpc-js it passes for a Buffer,
 * of which this is all that is asked.
 */
export interface UnwrittenResponse {
  /** Of the message. */
  readonly byteLength: number;
  /** Writes the message into a buffer that is long enough, from this place on. */
  copy(target: Uint8Array, at: number): void;
  /** The message in pieces that other responses share; undefined where it has none worth that. */
  pieces(): readonly Uint8Array[] | undefined;
}

/** Strings encoded resources together; every response carries this identifier of the control plane. */
export interface ResponseEncoder {
  encodeResponse(dialect: Dialect, response: SendEffect): UnwrittenResponse;
}

/** An encoder for one control plane. */
export function createResponseEncoder(controlPlane: string): ResponseEncoder {
  const identifier = protobuf.Writer.create()
    .uint32((1 << 3) | 2)
    .string(controlPlane)
    .finish();
  return {
    encodeResponse(dialect, response) {
      const rest = encodeRest(dialect, response, identifier);
      const { updates, basis } = response;
      const contents = updates.map(dialect === "sotw" ? payloadOf : bytesOf);
      const byteLength = contents.reduce((sum, { length }) => sum + fieldSize(length), rest.length);
      return {
        byteLength,
        copy: (target, at) =>
          target.set(
            rest,
            contents.reduce((place, bytes) => writeField(target, place, bytes), at),
          ),
        pieces() {
          const pieces = dialect === "delta" && basis !== undefined ? piecesOf(updates, basis) : undefined;
          return pieces && [...pieces, rest];
        },
      };
    },
  };
}

const bytesOf = ({ bytes }: WireResource): Uint8Array => bytes;

/** All of a response but its resources. Fields may stand in any order. */
function encodeRest(
  dialect: Dialect,
  { removed, unresolved = [], typeUrl, version, nonce }: SendEffect,
  identifier: Uint8Array,
): Uint8Array {
  const writer = protobuf.Writer.create();
  if (dialect === "sotw")
    return writer
      .uint32(TAG.sotwVersion)
      .string(version)
      .uint32(TAG.typeUrl)
      .string(typeUrl)
      .uint32(TAG.nonce)
      .string(nonce)
      .uint32(TAG.sotwControlPlane)
      .bytes(identifier)
      .finish();
  writer.uint32(TAG.typeUrl).string(typeUrl).uint32(TAG.nonce).string(nonce);
  for (const name of removed) writer.uint32(TAG.removed).string(name);
  for (const name of unresolved)
    writer.uint32(RESOURCES).fork().uint32(RESOURCE_NAME).string(name).uint32(RESOURCE_ALIASES).string(name).ldelim();
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

/** The bytes of the message itself. */
export function messageOf(resource: Pick<WireResource, "bytes">): Uint8Array {
  const any = payloadOf(resource);
  const reader = protobuf.Reader.create(any);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag !== ANY_VALUE) reader.skipType(tag & 7);
    else {
      const length = reader.uint32();
      return any.subarray(reader.pos, reader.pos + length);
    }
  }
  return any.subarray(0, 0);
}

/** A resource whose payload is already an Any's bytes. */
export function wrapAny({ name, bytes }: { readonly name: string; readonly bytes: Uint8Array }): WireResource {
  return {
    name,
    version: "",
    bytes: protobuf.Writer.create().uint32(RESOURCE_NAME).string(name).uint32(RESOURCE_PAYLOAD).bytes(bytes).finish(),
  };
}

export interface DecodedRequest {
  readonly request: StreamRequest;
  readonly node: Node | undefined;
}

/** A discovery request of a dialect and the node in it, if there is one; undefined for bytes that are none. */
export function decodeRequest(dialect: Dialect, bytes: Uint8Array): DecodedRequest | undefined {
  try {
    return dialect === "delta" ? decodeDelta(bytes) : decodeStateOfTheWorld(bytes);
  } catch {
    return undefined;
  }
}

/** Read by hand: a thousand proxies acknowledge every change, and all but the node are a few strings. */
function decodeDelta(bytes: Uint8Array): DecodedRequest {
  const request = {
    dialect: "delta" as const,
    typeUrl: "",
    nonce: "",
    error: undefined as string | undefined,
    subscribe: [] as string[],
    unsubscribe: [] as string[],
    initialVersions: {} as Record<string, string>,
  };
  let node: Node | undefined;
  readFields(bytes, (reader, field) => {
    switch (field) {
      case 1:
        return void (node = decode("Node", reader.bytes()));
      case 2:
        return void (request.typeUrl = reader.string());
      case 3:
        return void request.subscribe.push(reader.string());
      case 4:
        return void request.unsubscribe.push(reader.string());
      case 5: {
        const [name, version] = readPair(reader.bytes());
        return void Object.defineProperty(request.initialVersions, name, {
          value: version,
          enumerable: true,
          configurable: true,
        });
      }
      case 6:
        return void (request.nonce = reader.string());
      case 7:
        return void (request.error = readReason(reader.bytes()));
      default:
        return false;
    }
  });
  return { request, node };
}

function decodeStateOfTheWorld(bytes: Uint8Array): DecodedRequest {
  const request = {
    dialect: "sotw" as const,
    typeUrl: "",
    nonce: "",
    error: undefined as string | undefined,
    names: [] as string[],
    version: "",
  };
  let node: Node | undefined;
  readFields(bytes, (reader, field) => {
    switch (field) {
      case 1:
        return void (request.version = reader.string());
      case 2:
        return void (node = decode("Node", reader.bytes()));
      case 3:
        return void request.names.push(reader.string());
      case 4:
        return void (request.typeUrl = reader.string());
      case 5:
        return void (request.nonce = reader.string());
      case 6:
        return void (request.error = readReason(reader.bytes()));
      default:
        return false;
    }
  });
  return { request, node };
}

const LENGTH_DELIMITED = 2;

/**
 * Calls for each field that has a length; what `read` does not want (false) and all others are skipped. Throws for
 * bytes that are no message.
 */
function readFields(bytes: Uint8Array, read: (reader: protobuf.Reader, field: number) => false | void): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) !== LENGTH_DELIMITED || read(reader, tag >>> 3) === false) reader.skipType(tag & 7);
  }
}

/** A map's entry: its key in field 1, its value in field 2. */
function readPair(bytes: Uint8Array): readonly [string, string] {
  let key = "",
    value = "";
  readFields(bytes, (reader, field) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.string();
    else return false;
    return undefined;
  });
  return [key, value];
}

/** The message (field 2) of a google.rpc.Status. */
function readReason(bytes: Uint8Array): string {
  let reason = "";
  readFields(bytes, (reader, field) => (field === 2 ? void (reason = reader.string()) : false));
  return reason === "" ? "rejected without a reason" : reason;
}
