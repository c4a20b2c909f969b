import { out } from "./abi/arena";
import { proxy_http_call } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";

// Callouts belong to the root context, and the host answers there: this table leads from a call's token back to the stream that made it.
// Few calls are in flight at a time; slots are reused, so the table is as large as the largest number in flight.

let tokens: StaticArray<u32> = new StaticArray<u32>(16);
let streams: StaticArray<u32> = new StaticArray<u32>(16);

function remember(token: u32, stream: u32): void {
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] != 0) continue;
    tokens[i] = token;
    streams[i] = stream;
    return;
  }
  const size = tokens.length;
  const moreTokens = new StaticArray<u32>(size * 2);
  const moreStreams = new StaticArray<u32>(size * 2);
  for (let i = 0; i < size; i++) {
    moreTokens[i] = tokens[i];
    moreStreams[i] = streams[i];
  }
  tokens = moreTokens;
  streams = moreStreams;
  tokens[size] = token;
  streams[size] = stream;
}

/** The stream that made call `token`, 0 if it was a root; forgets the call. For the SDK's own use. */
export function takeCall(token: u32): u32 {
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] != token) continue;
    tokens[i] = 0;
    return streams[i];
  }
  return 0;
}

/**
 * Sends an HTTP request to a cluster; the answer comes as `onHttpCallResponse` of stream `from` (its `id`), or of the root if `from` is 0.
 * @param cluster name of an Envoy cluster
 * @param headers pairs with `:method`, `:path`, `:authority`
 * @returns the call's token, 0 if the host refused it (`lastStatus`: BadArgument for an unknown cluster or missing headers)
 */
export function httpCall(from: u32, cluster: Bytes, headers: Bytes, timeoutMilliseconds: u32, body: Bytes = EMPTY, trailers: Bytes = EMPTY): u32 {
  const status = note(
    proxy_http_call(cluster.ptr, cluster.length, headers.ptr, headers.length, body.ptr, body.length, trailers.ptr, trailers.length, timeoutMilliseconds, out),
  );
  if (status != Status.Ok) return 0;
  const token = load<u32>(out);
  if (from != 0) remember(token, from);
  return token;
}
