// The work of all four filters in one module: the VM is entered once on the request and once at log, headers are read
// once.
import {
  allocate,
  defineMetric,
  findHeader,
  forget,
  hostForeign,
  hostIncrement,
  hostReply,
  hostSetProperty,
  out,
  property,
  readHeaders,
  Text,
  valueBegins,
} from "./raw";
import { hasToken, isAllowed } from "./decisions";
import { count, exchangePeer } from "./telemetry";
export function proxy_abi_version_0_2_1(): void {}
export function malloc(size: usize): usize {
  return allocate(size);
}
export function proxy_on_context_create(id: u32, parent: u32): void {}
const metrics = memory.data(64, 16);
const body = new Text("refused");
const rulesId = new Text("xds\0virtual_host_metadata\0filter_metadata\0scrim.router\0id"),
  choice = new Text("scrim.route"),
  chosen = new Text("1.0");
const clear = new Text("clear_route_cache"),
  endUser = new Text("end-user"),
  cookie = new Text("cookie");
export function proxy_on_configure(id: u32, size: u32): u32 {
  const names: string[] = ["raw_allowed", "raw_admitted", "raw_routed"];
  for (let i = 0; i < names.length; i++) store<i32>(metrics + i * 4, defineMetric(0, names[i]));
  return 1;
}
export function proxy_on_request_headers(id: u32, size: u32, end: u32): i32 {
  forget();
  readHeaders();
  if (!isAllowed() || !hasToken(true)) {
    hostReply(403, body.at, body.length, body.at, body.length, 0, 0, -1);
    return 1;
  }
  hostIncrement(load<i32>(metrics), 1);
  hostIncrement(load<i32>(metrics + 4), 1);
  if (property(rulesId)) {
    if (findHeader(endUser)) valueBegins(choice);
    findHeader(cookie);
    hostSetProperty(choice.at, choice.length, chosen.at, chosen.length);
    hostForeign(clear.at, clear.length, 0, 0, out, out + 4);
    hostIncrement(load<i32>(metrics + 8), 1);
  }
  exchangePeer();
  return 0;
}
export function proxy_on_log(id: u32): void {
  forget();
  count();
}
