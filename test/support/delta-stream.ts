// consumes: the address of a control plane, and requests
// produces: streams of delta ADS on one connection, and what comes on them
// never does: look into resources further than their names and versions
import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { DeltaDiscoveryRequest } from "../../protos/build/envoy.ts";
import { encode } from "../../protos/codec.ts";
import { framed, messagesFrom, type Pieces } from "./grpc-messages.ts";

/**
 * Bytes that a server may send before we say that we have read some. Envoy allows as much or more where it is not told
 * otherwise (initial_stream_window_size).
 */
const ENVOYS_WINDOW = 16 * 1024 * 1024;
const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** Where a control plane is; without `tls` it is spoken to in plaintext. */
export interface DeltaTarget {
  readonly port: number;
  readonly tls?: { readonly rootPem: string; readonly serverName: string };
}

/** What came on a stream. */
export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** Of the resources, and in the same order their versions, where those were asked for. */
  readonly names: readonly string[];
  readonly versions: readonly string[];
  readonly removed: readonly string[];
  /** The message's length. */
  readonly bytes: number;
  /** The whole message. */
  message(): Buffer;
}

export interface DeltaStreamOptions {
  /** Undefined sends no authorization at all. */
  readonly token?: string;
  /** Whether responses tell the versions of resources, which costs whoever reads gigabytes. */
  readonly readsVersions?: boolean;
  received(response: DeltaResponse): void;
  /** The stream is over, and why; not told when it was closed from here. */
  ended(why: string): void;
}

export interface DeltaStream {
  send(request: DeltaDiscoveryRequest): void;
  close(): void;
}

/** One connection, which many streams may share. */
export interface DeltaConnection {
  open(options: DeltaStreamOptions): DeltaStream;
  close(): void;
}

/** Connects; what goes wrong is told to the streams. */
export function connectDelta({ port, tls }: DeltaTarget): DeltaConnection {
  const session = connect(`${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, {
    settings: { initialWindowSize: ENVOYS_WINDOW },
    ...(tls !== undefined && { ca: tls.rootPem, servername: tls.serverName }),
  });
  session.once("connect", () => session.setLocalWindowSize(ENVOYS_WINDOW));
  session.on("error", () => undefined);
  session.setMaxListeners(0);
  return { open: (options) => openStream(session, options), close: () => session.destroy() };
}

function openStream(session: ClientHttp2Session, options: DeltaStreamOptions): DeltaStream {
  const call = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: PATH,
    "content-type": "application/grpc",
    te: "trailers",
    ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
  });
  let isOver = false;
  const end = (why: string): void => {
    if (isOver) return;
    isOver = true;
    session.off("error", fail);
    options.ended(why);
  };
  const fail = (error: Error): void => end(error.message);
  session.once("error", fail);
  call.on("error", fail);
  call.once("response", (headers) => {
    if (headers["grpc-status"] !== undefined) end(String(headers["grpc-message"]));
  });
  call.once("trailers", (trailers) => end(String(trailers["grpc-message"])));
  call.once("close", () => end("the stream was closed"));
  call.on(
    "data",
    messagesFrom((message, bytes) => {
      const unread = message.copy();
      options.received({
        ...scanResponse(message, options.readsVersions ?? false),
        bytes,
        message: () => unread.joined(),
      });
    }),
  );
  return {
    send: (request) => void call.write(framed(encode("DeltaDiscoveryRequest", request))),
    close() {
      isOver = true;
      session.off("error", fail);
      call.close(constants.NGHTTP2_CANCEL);
    },
  };
}

// Fields of envoy.service.discovery.v3.DeltaDiscoveryResponse; all of them have a length.
const RESOURCES = 2;
const TYPE_URL = 4;
const NONCE = 5;
const REMOVED = 6;
// Fields of Resource.
const VERSION = 1;
const NAME = 3;

type Scanned = Pick<DeltaResponse, "typeUrl" | "nonce" | "names" | "versions" | "removed">;

function scanResponse(message: Pieces, readsVersions: boolean): Scanned {
  const names: string[] = [];
  const versions: string[] = [];
  const removed: string[] = [];
  let typeUrl = "";
  let nonce = "";
  while (message.length > 0) {
    const tag = message.varint();
    const field = tag >>> 3;
    const length = message.varint();
    if (field === RESOURCES) names.push(scanResource(message, length, readsVersions ? versions : undefined));
    else if (field === TYPE_URL) typeUrl = message.text(length);
    else if (field === NONCE) nonce = message.text(length);
    else if (field === REMOVED) removed.push(message.text(length));
    else message.skip(length);
  }
  return { typeUrl, nonce, names, versions, removed };
}

/**
 * Returns the name of the Resource of so many bytes that begins here, adds its version, and moves behind it. All its
 * fields that are sent have a length.
 */
function scanResource(message: Pieces, length: number, versions: string[] | undefined): string {
  const end = message.length - length;
  let name = "";
  let version = "";
  while (message.length > end) {
    const field = message.varint() >>> 3;
    const size = message.varint();
    if (field === NAME) name = message.text(size);
    else if (field === VERSION && versions !== undefined) version = message.text(size);
    else message.skip(size);
  }
  versions?.push(version);
  return name;
}
