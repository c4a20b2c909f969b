import { out } from "./abi/arena";
import { proxy_http_call } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { rememberCaller } from "./callouts";

/**
 * Returns what a cluster's service is called in `:authority`: the host at the end of a mesh's cluster name
 * (`outbound|80||checker.shop.svc.cluster.local`), of any other name the whole of it. A view of `cluster`.
 */
export function authorityOf(cluster: Bytes): Bytes {
  let at = cluster.length;
  while (at > 0 && load<u8>(cluster.ptr + at - 1) != 0x7c) at--;
  return Bytes.view(cluster.ptr + at, cluster.length - at);
}

/**
 * Sends an HTTP request to a cluster; the answer comes as `onHttpCallResponse` of stream `from` (its `id`), or of the
 * root if `from` is 0.
 * @param cluster name of an Envoy cluster
 * @param headers pairs with `:method`, `:path`, `:authority`
 * @returns the call's token, 0 if the host refused it (`lastStatus`: BadArgument for an unknown cluster or missing
 * headers)
 */
export function httpCall(
  from: u32,
  cluster: Bytes,
  headers: Bytes,
  timeoutMilliseconds: u32,
  body: Bytes = EMPTY,
  trailers: Bytes = EMPTY,
): u32 {
  const status = note(
    proxy_http_call(
      cluster.ptr,
      cluster.length,
      headers.ptr,
      headers.length,
      body.ptr,
      body.length,
      trailers.ptr,
      trailers.length,
      timeoutMilliseconds,
      out,
    ),
  );
  if (status != Status.Ok) return 0;
  const token = load<u32>(out);
  if (from != 0) rememberCaller(token, from);
  return token;
}
