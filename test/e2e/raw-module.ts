// Filters in the raw ABI, so that they can do what no SDK would let them.
import { writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";

/** Compiles a filter whose request callback does what the text says, and writes it; `url` as a WasmPlugin names it. `reply(status, …)` and `kept` may be used. */
export async function writeRawModule(path: string, onRequest: string): Promise<{ readonly url: string }> {
  const source = `
@external("env", "proxy_send_local_response") declare function reply(code: i32, details: usize, detailsLength: i32, body: usize, bodyLength: i32, headers: usize, headersLength: i32, grpc: i32): i32;
let kept: usize = 0;
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_vm_start(id: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(id: u32, size: u32): u32 { return 1; }
export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { ${onRequest} }`;
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(["m.ts", "--runtime", "stub", "-O", "--outFile", "m.wasm", "--use", "abort="], {
    readFile: (file) => (file === "m.ts" ? source : null), writeFile: (file, data) => void (files[file] = data as Uint8Array), listFiles: () => [],
  });
  if (error !== null) throw new Error(stderr.toString());
  writeFileSync(path, files["m.wasm"] ?? new Uint8Array());
  return { url: `file://${path}` };
}
