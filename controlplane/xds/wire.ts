// Bytes of ADS messages. Resources were encoded once; a response only strings them together.
import protobuf from "protobufjs/light.js";
import { decode } from "../../protos/codec.ts";
import type { DeltaDiscoveryRequest, Node } from "../../protos/build/envoy.ts";
import type { SendEffect, StreamRequest } from "./stream-state.ts";

// Tags of envoy.service.discovery.v3.DeltaDiscoveryResponse, all length-delimited: field number << 3 | 2.
const RESOURCES = (2 << 3) | 2;
const TYPE_URL = (4 << 3) | 2;
const NONCE = (5 << 3) | 2;
const REMOVED_RESOURCES = (6 << 3) | 2;

/** The bytes of a DeltaDiscoveryResponse. */
export function encodeResponse(response: SendEffect): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const { bytes } of response.updates) writer.uint32(RESOURCES).bytes(bytes);
  writer.uint32(TYPE_URL).string(response.typeUrl).uint32(NONCE).string(response.nonce);
  for (const name of response.removed) writer.uint32(REMOVED_RESOURCES).string(name);
  return writer.finish();
}

export interface DecodedRequest { readonly request: StreamRequest; readonly node: Node | undefined }

/** A DeltaDiscoveryRequest and the node in it, if there is one; undefined for bytes that are none. */
export function decodeRequest(bytes: Uint8Array): DecodedRequest | undefined {
  const message = tryDecode(bytes);
  if (message === undefined) return undefined;
  const request = {
    typeUrl: message.typeUrl ?? "",
    subscribe: message.resourceNamesSubscribe ?? [],
    unsubscribe: message.resourceNamesUnsubscribe ?? [],
    initialVersions: message.initialResourceVersions ?? {},
    nonce: message.responseNonce ?? "",
    error: message.errorDetail === undefined ? undefined : (message.errorDetail.message ?? "rejected without a reason"),
  };
  return { request, node: message.node };
}

function tryDecode(bytes: Uint8Array): DeltaDiscoveryRequest | undefined {
  try {
    return decode("DeltaDiscoveryRequest", bytes);
  } catch {
    return undefined;
  }
}
