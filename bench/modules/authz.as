import { allocate, defineMetric, forget, hostIncrement, hostReply, readHeaders, Text } from "./raw";
import { isAllowed } from "./decisions";
export function proxy_abi_version_0_2_1(): void {}
export function malloc(size: usize): usize {
  return allocate(size);
}
export function proxy_on_context_create(id: u32, parent: u32): void {}
let allowed: i32 = 0,
  denied: i32 = 0;
const body = new Text("denied");
export function proxy_on_configure(id: u32, size: u32): u32 {
  allowed = defineMetric(0, "raw_authz_allowed");
  denied = defineMetric(0, "raw_authz_denied");
  return 1;
}
export function proxy_on_request_headers(id: u32, count: u32, end: u32): i32 {
  forget();
  readHeaders();
  if (isAllowed()) {
    hostIncrement(allowed, 1);
    return 0;
  }
  hostIncrement(denied, 1);
  hostReply(403, body.at, body.length, body.at, body.length, 0, 0, -1);
  return 1;
}
