import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { checkModule, checkModuleInChild, createHost, HeaderMap, startHost, Status } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "../../filters/sdk/testing/build.ts";
import { decodePairs, encodePairs } from "./pairs.ts";

let probe: Uint8Array;
let sample: Uint8Array;
let directory: string;

/** A module without the SDK; `wat`-like control over its exports and imports. */
async function raw(source: string, start = ""): Promise<Uint8Array> {
  const asc = (await import("assemblyscript/asc")).default;
  let binary = new Uint8Array();
  const text = `export function proxy_abi_version_0_2_1(): void {}
export function abort(a: usize, b: usize, c: u32, d: u32): void { unreachable(); }
${source}`;
  const result = await asc.main(
    [
      "raw.ts",
      "--outFile",
      "raw.wasm",
      "--runtime",
      "stub",
      "--exportStart",
      "_initialize",
      "--use",
      "abort=raw/abort",
      start,
    ].filter((one) => one !== ""),
    {
      readFile: (name: string) => (name === "raw.ts" ? text : null),
      writeFile: (_name: string, content: string | Uint8Array) => void (binary = new Uint8Array(content as Uint8Array)),
      listFiles: () => [],
      stdout: asc.createMemoryStream(),
      stderr: asc.createMemoryStream(),
    },
  );
  if (result.error) throw result.error;
  return binary;
}
const MALLOC = "export function malloc(size: usize): usize { return heap.alloc(size); }\n";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "scrim-host-"));
  probe = await buildFixture("probe");
  sample = await buildFixture("sample");
}, 180_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("a module is refused as Envoy refuses it", () => {
  it("when it is no module", () => {
    expect(checkModule(Buffer.from("#!/bin/sh"))).toMatchObject({
      kind: "failed",
      code: "compile",
      message: expect.stringContaining("Failed to load Wasm bytecode"),
    });
  });
  it("without an ABI version", async () => {
    const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    expect(checkModule(bytes)).toEqual({
      kind: "failed",
      code: "abi",
      message: "Missing or unknown Proxy-Wasm ABI version",
    });
  });
  it.each([
    [
      "a function that does not exist",
      "proxy_clear_route_cache",
      "(): i32",
      "f()",
      "Failed to load Wasm module due to a missing import: env.proxy_clear_route_cache",
    ],
    [
      "another type",
      "proxy_log",
      "(a: i32, b: i64): i32",
      "f(0, 0)",
      "Failed to load Wasm module due to an import type mismatch: env.proxy_log, want: i32 i64 -> i32, " +
        "but host exports: i32 i32 i32 -> i32",
    ],
  ])("when it imports %s", async (_what, name, type, call, reason) => {
    const module = await raw(
      `${MALLOC}@external("env", "${name}") declare function f${type};
export function proxy_on_tick(a: i32): void { ${call}; }`,
    );
    expect(checkModule(module)).toEqual({ kind: "failed", code: "imports", message: reason });
  });
  it("without an allocator", async () => {
    expect(checkModule(await raw(""))).toEqual({
      kind: "failed",
      code: "exports",
      message: "Wasm module is missing malloc function.",
    });
  });
  it("with a callback of another type", async () => {
    const module = await raw(`${MALLOC}export function proxy_on_request_headers(a: i32): i32 { return 0; }`);
    expect(checkModule(module)).toMatchObject({
      kind: "failed",
      code: "exports",
      message: expect.stringContaining("Bad function signature for: proxy_on_request_headers"),
    });
  });
  it("when it traps or calls what it may not while it starts", async () => {
    expect(checkModule(await raw(`${MALLOC}unreachable();`))).toMatchObject({
      kind: "failed",
      code: "start",
      message: expect.stringContaining("_initialize trapped: unreachable"),
    });
    const early = await raw(`${MALLOC}@external("env", "proxy_done") declare function f(): i32;\nf();`);
    expect(checkModule(early)).toMatchObject({
      kind: "failed",
      code: "start",
      message: expect.stringContaining("restricted_callback"),
    });
  });
  it("when it refuses to start", async () => {
    const module = await raw(`${MALLOC}export function proxy_on_vm_start(a: i32, b: i32): i32 { return 0; }`);
    expect(checkModule(module)).toEqual({ kind: "failed", code: "start", message: "proxy_on_vm_start answered false" });
  });
  it("when it refuses its configuration, or traps over it, with what it logged", () => {
    expect(checkModule(probe, '{"cluster":1}')).toEqual({
      kind: "failed",
      code: "configure",
      message: "configuration refused: cluster: expected a string (proxy_on_configure answered false)",
    });
    const trapped = checkModule(probe, '{"trap":true}');
    expect(trapped).toMatchObject({
      kind: "failed",
      code: "configure",
      message: expect.stringMatching(
        /proxy_on_configure trapped: unreachable; host calls before it: proxy_get_buffer_bytes → Ok/,
      ),
    });
  });
  it("and accepted when all is well", () => {
    expect(checkModule(probe, "{}")).toEqual({ kind: "good" });
  });
});

describe("the check in a child process", () => {
  it("answers, and kills a module that never returns", async () => {
    const child = join(directory, "check.mjs");
    await build({
      entryPoints: [new URL("./check-module-main.ts", import.meta.url).pathname],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: child,
      logLevel: "silent",
    });
    const ask = (module: Uint8Array, configuration: string, timeoutMs: number): ReturnType<typeof checkModuleInChild> =>
      checkModuleInChild(child, { module, configuration, vmConfiguration: "" }, timeoutMs);
    expect(await ask(sample, "{}", 60_000)).toEqual({ kind: "good" });
    expect(await ask(sample, "[]", 60_000)).toMatchObject({ kind: "failed", code: "configure" });
    const endless = await raw(
      `${MALLOC}export function proxy_on_configure(a: i32, b: i32): i32 { while (true) {} return 1; }`,
    );
    expect(await ask(endless, "", 1500)).toEqual({
      kind: "failed",
      code: "timeout",
      message: "the module did not start within 1500 ms",
    });
    expect(
      await checkModuleInChild(
        join(directory, "absent.mjs"),
        { module: sample, configuration: "", vmConfiguration: "" },
        60_000,
      ),
    ).toMatchObject({ kind: "failed", code: "crash" });
  }, 120_000);
});

describe("a running host", () => {
  it("throws with the reason when the module must start", () => {
    expect(() => createHost({ module: sample, configuration: "nonsense" })).toThrow(
      /configure: configuration refused: not JSON: line 1, column 1/,
    );
  });

  it("shares data and metrics between workers, each with a VM of its own", () => {
    const host = createHost({ module: probe, configuration: "{}", workers: 2 });
    const first = host.run({ headers: { "x-mode": "probe" }, worker: 0 }).reply?.body ?? "";
    const second = host.run({ headers: { "x-mode": "probe" }, worker: 1 }).reply?.body ?? "";
    expect(first).toContain("shared absent=(status 1)");
    expect(second).toContain("shared absent=2"); // what the first worker left
    expect(host.metrics.counter("probe_counter")).toBe(4);
    expect(host.metrics.histogram("probe_histogram")).toEqual([5, 5]);
    expect(() => host.newStream({ worker: 2 })).toThrow("there is no worker 2");
  });

  it("keeps shared data and metrics over a new module", () => {
    const host = createHost({ module: probe, configuration: "{}" });
    host.run({ headers: { "x-mode": "probe" } });
    expect(host.replaceModule(sample, "{}")).toEqual({ kind: "changed" });
    expect(host.replaceModule(Buffer.from("x"), "{}")).toMatchObject({ kind: "failed", code: "compile" });
    expect(host.run({ headers: { "x-key": "k" } }).requestHeaders.get("x-count")).toBe("1");
    expect(host.sharedData.keys()).toEqual(["x-key"]);
    expect(host.metrics.counter("probe_counter")).toBe(2);
  });

  it("refuses what no proxy would send", () => {
    const stream = createHost({ module: sample, configuration: "{}" }).newStream();
    expect(() => stream.sendRequestBody("x")).toThrow("the request's body cannot come before its headers");
    stream.sendRequestHeaders();
    expect(() => stream.sendRequestHeaders()).toThrow("the request's headers have been sent already");
    expect(() => stream.sendRequestBody("x")).toThrow(
      "the request's body cannot come: the request is over, say { endOfStream: false } of what came before",
    );
    stream.sendResponseHeaders({ ":status": "200" }, { endOfStream: false });
    stream.sendResponseTrailers({ a: "b" });
    expect(() => stream.sendResponseBody("x")).toThrow("the response's body cannot come: the response is over");
    stream.end();
    expect(() => stream.sendResponseTrailers({})).toThrow("the stream has ended");
  });

  it("injects faults into host calls", () => {
    const calls: string[] = [];
    const host = createHost({
      module: sample,
      configuration: "{}",
      intercept: (call) => {
        calls.push(`${call.worker} ${call.callback} ${call.name}`);
        return call.name === "proxy_get_header_map_pairs" ? Status.InternalFailure : undefined;
      },
    });
    const stream = host.run({ headers: { "x-key": "k" } });
    expect(stream.requestHeaders.has("x-seen")).toBe(false);
    expect(calls).toContain("0 proxy_on_request_headers proxy_get_header_map_pairs");
    expect(calls).toContain("-1 proxy_on_configure proxy_define_metric");
  });

  it("lets requests pass a dead filter that fails open", () => {
    const host = createHost({ module: sample, configuration: "{}", failurePolicy: "open" });
    expect(host.run({ headers: { "x-action": "abort" } }).outcome).toEqual({ kind: "continue" });
    expect(host.failure()).toMatchObject({
      callback: "proxy_on_request_headers",
      calls: ["proxy_get_header_map_pairs → Ok", "proxy_log → Ok"],
    });
    expect(host.run().outcome).toEqual({ kind: "continue" });
  });

  it("says so when a test drives a stream in an impossible order", () => {
    const stream = createHost({ module: sample, configuration: "{}" }).newStream({ headers: { "x-action": "call" } });
    stream.sendRequestHeaders();
    expect(() => stream.sendResponseHeaders()).toThrow("upstream cannot answer: the stream is paused");
  });

  it("logs from the given level on", () => {
    const host = createHost({ module: sample, configuration: "{}", logLevel: "info" });
    host.run();
    expect(host.logs).toEqual([]);
    host.setLogLevel("debug");
    host.newStream().sendRequestHeaders();
    host.newStream().sendRequestHeaders();
    expect(host.logged("debug")).toEqual(["new object"]); // the first stream's object is in use
  });

  it("answers callouts to unknown clusters with BadArgument", () => {
    const host = createHost({ module: sample, configuration: "{}", clusters: ["other"] });
    expect(host.run({ headers: { "x-action": "call" } }).outcome).toEqual({ kind: "continue" });
    expect(host.httpCalls).toHaveLength(0);
  });

  it("starts the same way through startHost", () => {
    expect(startHost({ module: sample, configuration: "{}" }).kind).toBe("started");
  });
});

describe("pairs and header maps", () => {
  it("round-trip, and read as nothing beyond the limits", () => {
    const pair = [Buffer.from("a"), Buffer.from("b")] as const;
    expect(decodePairs(encodePairs([pair, pair]))).toHaveLength(2);
    expect(decodePairs(encodePairs(Array.from({ length: 1024 }, () => pair)))).toHaveLength(1024);
    expect(decodePairs(encodePairs(Array.from({ length: 1025 }, () => pair)))).toEqual([]);
    expect(decodePairs(encodePairs([[Buffer.from("a"), Buffer.alloc(1 << 20)]]))).toEqual([]);
    expect(decodePairs(encodePairs([pair]).subarray(0, 14))).toEqual([]);
    expect(decodePairs(Buffer.of(255, 255, 255, 255))).toEqual([]);
  });

  it("join what Envoy joins and keep apart what it keeps apart", () => {
    const headers = new HeaderMap({ "X-Multi": ["a", "b"], "x-forwarded-for": ["1.1.1.1", "2.2.2.2"], ":path": "/" });
    expect(headers.entries()).toEqual([
      [":path", "/"],
      ["x-multi", "a"],
      ["x-multi", "b"],
      ["x-forwarded-for", "1.1.1.1,2.2.2.2"],
    ]);
    expect(headers.get("x-MULTI")).toBe("a,b");
  });
});
