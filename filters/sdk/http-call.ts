import { allocate, out } from "./abi/arena";
import { proxy_http_call } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { literal } from "./literal";
import { rememberCaller } from "./callouts";

/**
 * Returns the cluster of a mesh's service by its host and port: `checker.shop.svc.cluster.local:80` gives
 * `outbound|80||checker.shop.svc.cluster.local`. Any other text is a cluster's name already, and given back. Valid until
 * the callback ends (`keep` it for longer).
 */
export function clusterOf(service: Bytes): Bytes {
  const colon = service.lastIndexOf(COLON);
  const port = service.slice(colon + 1);
  if (colon < 1 || service.indexOf(BAR) >= 0 || !isPort(port)) return service;
  const length = OUTBOUND.length + port.length + BARS.length + colon;
  const at = allocate(8 + length);
  const end = append(append(append(at + 8, OUTBOUND), port), BARS);
  append(end, service.slice(0, colon));
  return Bytes.place(at, at + 8, length);
}

function append(at: usize, bytes: Bytes): usize {
  memory.copy(at, bytes.ptr, bytes.length);
  return at + bytes.length;
}

const OUTBOUND = literal("outbound|");
const BARS = literal("||");
const BAR: u8 = 0x7c;
const COLON: u8 = 0x3a;

function isPort(text: Bytes): bool {
  if (text.isEmpty || text.length > 5) return false;
  for (let i = 0; i < text.length; i++) if (text.at(i) < 0x30 || text.at(i) > 0x39) return false;
  return true;
}

/**
 * Returns what a cluster's service is called in `:authority`: the host at the end of a mesh's cluster name
 * (`outbound|80||checker.shop.svc.cluster.local`), of any other name the whole of it. A view of `cluster`.
 */
export function authorityOf(cluster: Bytes): Bytes {
  let at = cluster.length;
  while (at > 0 && load<u8>(cluster.ptr + at - 1) != BAR) at--;
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
