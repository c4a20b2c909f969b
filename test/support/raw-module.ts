// Filters in the raw ABI, so that they can do what no SDK would let them.
import { writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";

/** The text of an on_configure that refuses in Envoy and nowhere else: only there a root knows its node. */
export const REFUSED_BY_ENVOY =
  'const path = String.UTF8.encode("xds\\0node\\0id"); const out = heap.alloc(8); ' +
  "return property(changetype<usize>(path), path.byteLength, out, out + 4) == 0 && load<u32>(out + 4) > 0 ? 0 : 1;";

/**
 * Compiles a filter whose request callback does what the text says, and writes it; `url` as a WasmPlugin names it.
 * `reply(status, …)`, `property(…)`, `log(level, text, length)` and `kept` may be used.
 */
export async function writeRawModule(
  path: string,
  onRequest: string,
  onConfigure = "return 1;",
): Promise<{ readonly url: string }> {
  const source = `
@external("env", "proxy_send_local_response")
declare function reply(
  code: i32, details: usize, detailsLength: i32, body: usize, bodyLength: i32,
  headers: usize, headersLength: i32, grpc: i32,
): i32;
@external("env", "proxy_get_property")
declare function property(path: usize, length: i32, out: usize, outLength: usize): i32;
@external("env", "proxy_log")
declare function log(level: u32, text: usize, length: usize): u32;
let kept: usize = 0;
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_vm_start(id: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(id: u32, size: u32): u32 { ${onConfigure} }
export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { ${onRequest} }`;
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(
    ["m.ts", "--runtime", "stub", "-O", "--outFile", "m.wasm", "--use", "abort="],
    {
      readFile: (file) => (file === "m.ts" ? source : null),
      writeFile: (file, data) => void (files[file] = data as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString());
  writeFileSync(path, files["m.wasm"] ?? new Uint8Array());
  return { url: `file://${path}` };
}
