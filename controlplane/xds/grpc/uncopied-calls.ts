// Large responses go to the transport in pieces that others are sent too, instead of being copied into one buffer each:
// these copies, and collecting them, were a third of what it costs to connect.
import type { ServerHttp2Stream } from "node:http2";
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status as grpcStatus } from "@grpc/grpc-js";
import type { UnwrittenResponse } from "./wire.ts";

/** A smaller response is copied. */
const LARGE = 32 * 1024;
/**
 * Written at once. What the transport was given it encrypts and keeps, twice, until it is read: a thousand clients that
 * come together read slowly.
 */
const SLICE = 64 * 1024;

/**
 * An interceptor for calls that answer with UnwrittenResponses. It needs the HTTP/2 stream of a call, which grpc-js has
 * and does not offer: where that is not found, responses are copied as always.
 */
export const withoutCopies: ServerInterceptor = (_method, call) => {
  const { stream } = call as { readonly stream?: ServerHttp2Stream };
  if (stream === undefined || typeof stream.cork !== "function" || typeof stream.write !== "function")
    return new ServerInterceptingCall(call);
  const copied = call.sendMessage.bind(call);
  call.sendMessage = (response: UnwrittenResponse, sent: () => void) => {
    const pieces = response.byteLength < LARGE || stream.destroyed || stream.closed ? undefined : response.pieces();
    if (pieces === undefined) return copied(response, sent);
    call.sendMetadata(new Metadata());
    writeFrame(stream, response.byteLength, pieces, (error) => {
      if (error) call.sendStatus({ code: grpcStatus.INTERNAL, details: "a response could not be written" });
      else sent();
    });
  };
  return new ServerInterceptingCall(call);
};

/** A gRPC message: not compressed, its length in four bytes, and itself. */
function writeFrame(
  stream: ServerHttp2Stream,
  length: number,
  pieces: readonly Uint8Array[],
  written: (error: Error | null | undefined) => void,
): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  const slices = slicesOf([head, ...pieces]);
  const writeNext = (error?: Error | null): void => {
    if (error || slices.length === 0) return written(error);
    // Who went away in the middle of a message is told no more.
    if (stream.destroyed || stream.writableEnded) return;
    const slice = slices.shift()!;
    stream.cork();
    for (const part of slice.slice(0, -1)) stream.write(part);
    stream.write(slice.at(-1), writeNext);
    stream.uncork();
  };
  writeNext();
}

/** The pieces in groups, and cut, so that no group is longer than a slice. */
function slicesOf(pieces: readonly Uint8Array[]): Uint8Array[][] {
  const slices: Uint8Array[][] = [];
  let room = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (room === 0) {
        slices.push([]);
        room = SLICE;
      }
      const part = piece.subarray(at, at + room);
      slices.at(-1)!.push(part);
      at += part.length;
      room -= part.length;
    }
  }
  return slices;
}
