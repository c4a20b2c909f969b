import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { createHost, type HostOptions } from "proxy-wasm-host";
import { trialCalls } from "./trial-calls.ts";

/** A module whose callbacks do what the text says; the rest of the ABI is there. */
async function compile(callbacks: string): Promise<Uint8Array> {
  const source = `
memory.grow(1); // below 1024 are the texts that callbacks write
export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(id: u32, parent: u32): void {}
export function proxy_on_vm_start(id: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(id: u32, size: u32): u32 { return 1; }
${callbacks}`;
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(
    ["m.ts", "--runtime", "stub", "--memoryBase", "1024", "-O", "--outFile", "m.wasm", "--use", "abort="],
    {
      readFile: (name) => (name === "m.ts" ? source : null),
      writeFile: (name, data) => void (files[name] = data as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString());
  return files["m.wasm"] ?? expect.fail("no module");
}

async function warnings(callbacks: string, options: Partial<HostOptions> = {}): Promise<readonly string[]> {
  const exported = new Set([...callbacks.matchAll(/export function (\w+)/g)].map(([, name]) => name ?? ""));
  return trialCalls(createHost({ module: await compile(callbacks), ...options }), exported);
}

const text = (at: number, value: string) =>
  [...value].map((letter, index) => `store<u8>(${at + index}, ${letter.charCodeAt(0)});`).join(" ");
/** A cluster's name at 64, and pairs at 128: `:method`, `:path`, `:authority`, each with the value "x". */
const CALLOUT = `@external("env", "proxy_http_call") declare function call(
  c: usize, cn: usize, h: usize, hn: usize, b: usize, bn: usize, t: usize, tn: usize, ms: u32, token: usize): u32;
export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 {
  ${text(64, "some")} store<u32>(128, 3);
  ${[7, 5, 10].map((length, at) => `store<u32>(${132 + at * 8}, ${length}); store<u32>(${136 + at * 8}, 1);`).join(" ")}
  ${text(156, ":method\0x\0:path\0x\0:authority\0x\0")}
  call(64, 4, 128, 59, 0, 0, 0, 0, 1000, 32);
  return 1;
}`;
const GRPC_CALLOUT = `@external("env", "proxy_grpc_call") declare function call(
  s: usize, sn: usize, v: usize, vn: usize, m: usize, mn: usize, i: usize, iz: usize, b: usize, bn: usize,
  ms: u32, token: usize): u32;
export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 {
  ${text(64, "some")} call(64, 4, 64, 4, 64, 4, 0, 0, 0, 0, 1000, 32);
  return 0;
}`;

describe("trialCalls", () => {
  it("finds nothing wrong with a module that behaves", async () =>
    expect(
      await warnings("export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { return 0; }"),
    ).toEqual([]));
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
    ["proxy_on_downstream_data", "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }"],
    [
      "proxy_on_upstream_data",
      "(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; } " +
        "export function proxy_on_new_connection(id: u32): u32 { return 0; }",
    ],
    [
      "proxy_on_tick",
      "(id: u32): void { unreachable(); } " +
        `@external("env", "proxy_set_tick_period_milliseconds") declare function period(ms: u32): u32; ` +
        "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { period(100); return 0; }",
    ],
    [
      "proxy_on_queue_ready",
      "(id: u32, token: u32): void { unreachable(); } " +
        `@external("env", "proxy_register_shared_queue") ` +
        `declare function register(name: usize, size: usize, token: usize): u32; ` +
        "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { register(0, 1, 8); return 0; }",
    ],
    // Only where the service is not there.
    [
      "proxy_on_http_call_response",
      "(id: u32, token: u32, headers: u32, body: u32, trailers: u32): void { if (headers == 0) unreachable(); } " +
        `${CALLOUT}`,
    ],
    // Only where it is.
    [
      "proxy_on_http_call_response",
      "(id: u32, token: u32, headers: u32, body: u32, trailers: u32): void { if (headers != 0) unreachable(); } " +
        `${CALLOUT}`,
    ],
    ["proxy_on_grpc_receive", `(id: u32, token: u32, size: u32): void { unreachable(); } ${GRPC_CALLOUT}`],
    ["proxy_on_grpc_close", `(id: u32, token: u32, status: u32): void { unreachable(); } ${GRPC_CALLOUT}`],
  ])("says that %s traps", async (name, body) => {
    expect((await warnings(`export function ${name}${body}`))[0]).toMatch(
      new RegExp(`^${name} trapped in a trial call: `),
    );
  });
  it("calls nothing that a proxy would not: no response of a request that the module holds, which it says", async () => {
    expect(
      await warnings(
        "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { return 1; } " +
          "export function proxy_on_response_body(id: u32, n: u32, e: u32): u32 { unreachable(); return 0; }",
      ),
    ).toEqual([expect.stringMatching(/^it holds a request with a body for ever, from proxy_on_request_headers on: /)]);
  });
  it("says that a later request traps, as where memory grows so fast that it is used up unseen", async () => {
    const [said, ...rest] = await warnings(
      "let kept = 0; " +
        "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { " +
        "heap.alloc(1 << 20); if (++kept > 9) unreachable(); return 0; }",
    );
    expect(said).toMatch(
      /^proxy_on_request_headers trapped within \d+ trial requests, its memory having grown by \d{4,} KiB: /,
    );
    expect(rest).toEqual([]);
  });
  it("says that memory grows with each request", async () => {
    expect(
      await warnings(
        "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { heap.alloc(4096); return 0; }",
      ),
    ).toEqual([expect.stringMatching(/^its memory grew by \d+ KiB over 200 trial requests/)]);
  });
});

describe("a request that is held", () => {
  const AT_HEADERS = "export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 { return e ? 0 : 1; } ";
  const UNTIL_BODY =
    AT_HEADERS +
    "export function proxy_on_request_body(id: u32, n: u32, e: u32): u32 { return e ? 0 : 1; } " +
    "export function proxy_on_request_trailers(id: u32, n: u32): u32 { return 0; } ";
  const CONTINUE =
    '@external("env", "proxy_continue_stream") declare function resume(direction: u32): u32; ' +
    '@external("env", "proxy_set_effective_context") declare function enter(id: u32): u32; ';
  const allow = { allowOnHeadersStopIteration: true };

  it("is told of where a module waits for a body that never comes, and not where it comes", async () => {
    expect(await warnings(UNTIL_BODY)).toEqual([expect.stringContaining('"allowOnHeadersStopIteration": true')]);
    expect(await warnings(UNTIL_BODY, allow)).toEqual([]);
  });
  it("is told of where nothing at all would make it go on", async () => {
    expect(
      await warnings(
        `${AT_HEADERS}export function proxy_on_request_body(id: u32, n: u32, e: u32): u32 { return 1; }`,
        allow,
      ),
    ).toEqual([expect.stringContaining("from proxy_on_request_headers on")]);
    expect(
      await warnings(
        "export function proxy_on_request_body(id: u32, n: u32, e: u32): u32 { return 1; } " +
          "export function proxy_on_request_trailers(id: u32, n: u32): u32 { return 1; }",
      ),
    ).toEqual([
      expect.stringMatching(/^it holds a request with a body for ever, from proxy_on_request_trailers on: no/),
      expect.stringMatching(/^it holds a request with a body for ever, from proxy_on_request_body on: no/),
    ]);
  });
  it("is told of on the way back too", async () => {
    expect(
      await warnings("export function proxy_on_response_headers(id: u32, n: u32, e: u32): u32 { return 1; }"),
    ).toEqual([expect.stringContaining("from proxy_on_response_headers on")]);
  });
  it("goes on when its callout was answered, or failed", async () => {
    expect(
      await warnings(
        `${CONTINUE} let last = 0; ${CALLOUT.replace("store", "last = id; store")} export function proxy_on_http_call_response(` +
          "id: u32, token: u32, headers: u32, body: u32, trailers: u32): void { enter(last); resume(0); }",
      ),
    ).toEqual([]);
  });
  it("is told of where the answer is not the one it hoped for", async () => {
    expect(
      await warnings(
        `${CONTINUE} let last = 0; ${CALLOUT.replace("store", "last = id; store")} export function proxy_on_http_call_response(` +
          "id: u32, token: u32, headers: u32, body: u32, trailers: u32): void { enter(last); if (headers != 0) resume(0); }",
      ),
    ).toEqual([expect.stringContaining("for ever")]);
  });
  it("goes on when time has passed", async () => {
    expect(
      await warnings(
        `${CONTINUE} @external("env", "proxy_set_tick_period_milliseconds") declare function period(ms: u32): u32; ` +
          "let last = 0; export function proxy_on_request_headers(id: u32, n: u32, e: u32): u32 " +
          "{ last = id; period(9000); return 1; } " +
          "export function proxy_on_tick(id: u32): void { enter(last); resume(0); }",
      ),
    ).toEqual([]);
  });
});
