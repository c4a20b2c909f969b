// A discovery client that says just what a test tells it to say, in any of the four variants, and shows what came back.
import { Client, type ClientDuplexStream, credentials, type Metadata, type ServiceError } from "@grpc/grpc-js";
import type { MessageByName } from "../../protos/build/envoy.ts";
import { decode, encode } from "../../protos/codec.ts";
import { until } from "./until.ts";

/** One response of either dialect as a test reads it. */
export interface RawResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  /** Of each resource: its name (in the state of the world as its message has it) and the message's bytes. */
  readonly resources: readonly { readonly name: string; readonly version: string; readonly value: Uint8Array }[];
  readonly removed: readonly string[];
  readonly controlPlane: string;
}

type Sent<D extends "delta" | "sotw"> = D extends "delta"
  ? MessageByName["DeltaDiscoveryRequest"]
  : MessageByName["DiscoveryRequest"];

export interface RawClient<D extends "delta" | "sotw"> {
  send(request: Sent<D>): void;
  readonly responses: readonly RawResponse[];
  /** The next response that was not taken yet. */
  next(): Promise<RawResponse>;
  /** Resolves to the gRPC status code with which the stream ended. */
  readonly ended: Promise<number>;
  close(): void;
}

/** Opens a stream of a method, in plaintext. */
export function openRawClient<D extends "delta" | "sotw">(
  dialect: D,
  path: string,
  address: { readonly host: string; readonly port: number },
  metadata?: Metadata,
): RawClient<D> {
  const client = new Client(`${address.host}:${address.port}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
  });
  const serialize = (request: Sent<D>): Buffer =>
    Buffer.from(dialect === "delta" ? encode("DeltaDiscoveryRequest", request) : encode("DiscoveryRequest", request));
  const deserialize = (bytes: Buffer): RawResponse => (dialect === "delta" ? readDelta(bytes) : readWorld(bytes));
  const call: ClientDuplexStream<Sent<D>, RawResponse> = metadata === undefined
    ? client.makeBidiStreamRequest(path, serialize, deserialize)
    : client.makeBidiStreamRequest(path, serialize, deserialize, metadata);
  const responses: RawResponse[] = [];
  let taken = 0;
  const ended = new Promise<number>((resolve) =>
    call.on("error", (_: ServiceError) => undefined).on("status", ({ code }) => resolve(code)),
  );
  call.on("data", (response: RawResponse) => responses.push(response));
  return {
    send: (request) => void call.write(request),
    responses,
    async next() {
      await until(() => responses.length > taken, "a response");
      return responses[taken++]!;
    },
    ended,
    close() {
      call.cancel();
      client.close();
    },
  };
}

function readDelta(bytes: Buffer): RawResponse {
  const {
    typeUrl = "",
    nonce = "",
    resources = [],
    removedResources = [],
    controlPlane,
  } = decode("DeltaDiscoveryResponse", bytes);
  const read = resources.map(({ name = "", version = "", resource }) => ({
    name,
    version,
    value: resource?.value ?? new Uint8Array(),
  }));
  return {
    typeUrl,
    nonce,
    version: "",
    resources: read,
    removed: removedResources,
    controlPlane: controlPlane?.identifier ?? "",
  };
}

/** Every type's message but endpoints has its name in field 1, a string; endpoints have `cluster_name` there. */
function readWorld(bytes: Buffer): RawResponse {
  const {
    typeUrl = "",
    nonce = "",
    versionInfo = "",
    resources = [],
    controlPlane,
  } = decode("DiscoveryResponse", bytes);
  const read = resources.map(({ value }) => ({
    name: decode("Cluster", firstField(value)).name ?? "",
    version: versionInfo,
    value,
  }));
  return {
    typeUrl,
    nonce,
    version: versionInfo,
    resources: read,
    removed: [],
    controlPlane: controlPlane?.identifier ?? "",
  };
}

function firstField(message: Uint8Array): Uint8Array {
  return message[0] === 0x0a ? message.subarray(0, 2 + (message[1] ?? 0)) : new Uint8Array();
}
