import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { createHost } from "../../test/host/host.ts";
import { trialCalls } from "./trial-calls.ts";

/** A module whose callbacks do what the text says; the rest of the ABI is there. */
async function compile(callbacks: string): Promise<Uint8Array> {
  const source = `
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_vm_start(id: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(id: u32, size: u32): u32 { return 1; }
${callbacks}`;
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(["m.ts", "--runtime", "stub", "-O", "--outFile", "m.wasm", "--use", "abort="], {
    readFile: (name) => (name === "m.ts" ? source : null), writeFile: (name, data) => void (files[name] = data as Uint8Array), listFiles: () => [],
  });
  if (error !== null) throw new Error(stderr.toString());
  return files["m.wasm"] ?? expect.fail("no module");
}

async function warnings(callbacks: string): Promise<readonly string[]> {
  const exported = new Set([...callbacks.matchAll(/export function (\w+)/g)].map(([, name]) => name ?? ""));
  return trialCalls(createHost({ module: await compile(callbacks) }), exported);
}

describe("trialCalls", () => {
  it("finds nothing wrong with a module that behaves", async () => expect(await warnings("export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { return 0; }")).toEqual([]));
  it.each([
    ["proxy_on_request_headers", "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_request_body", "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_request_trailers", "(id: u32, n: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_response_headers", "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_response_body", "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_response_trailers", "(id: u32, n: u32): u32 { unreachable(); return 0; }"],
    ["proxy_on_log", "(id: u32): void { unreachable(); }"],
    ["proxy_on_delete", "(id: u32): void { unreachable(); }"],
    ["proxy_on_new_connection", "(id: u32): u32 { unreachable(); return 0; }"],
  ])("says that %s traps", async (name, body) => {
    expect((await warnings(`export function ${name}${body}`))[0]).toMatch(new RegExp(`^${name} trapped in a trial call: `));
  });
  it("calls nothing that a proxy would not: no response of a request that the module holds", async () => {
    expect(await warnings("export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { return 1; } export function proxy_on_response_body(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }")).toEqual([]);
  });
  it("says that memory grows with each request", async () => {
    expect(await warnings("export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { heap.alloc(4096); return 0; }")).toEqual([expect.stringMatching(/^its memory grew by \d+ KiB over 200 trial requests/)]);
  });
});
