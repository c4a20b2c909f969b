import { allocate } from "./raw";
export function proxy_abi_version_0_2_1(): void {}
export function malloc(size: usize): usize {
  return allocate(size);
}
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_request_headers(id: u32, count: u32, end: u32): i32 {
  return 0;
}
