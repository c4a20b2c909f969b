import { createHash } from "node:crypto";
import { loadModule } from "../../test/host/module.ts";
import { describe, expect, it } from "vitest";
import { buildSources } from "./testing/build.ts";

const FIRST = "proxy_abi_version_0_2_1, malloc, proxy_on_context_create, proxy_on_configure, proxy_on_delete";
const FILTER = `
import { FilterHeadersStatus, HttpContext, registerRoot, RootContext } from "as-proxy-wasm-sdk";
class Root extends RootContext { override createHttpContext(): HttpContext { return new Stream(); } }
class Stream extends HttpContext {
  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus { return FilterHeadersStatus.Continue; }
  override onLog(): void {}
}
registerRoot(() => new Root());`;
const index = (names: string): string => `import "./filter";\nexport { ${names} } from "as-proxy-wasm-sdk/exports";`;

describe("compiling a filter", () => {
  it("gives the same bytes each time", async () => {
    const sources = { "index.ts": index(`${FIRST}, proxy_on_request_headers, proxy_on_log`), "filter.ts": FILTER };
    const hashes = [await buildSources(sources), await buildSources(sources)].map((built) => createHash("sha256").update(built.ok ? built.binary : built.errors).digest("hex"));
    expect(hashes[0]).toBe(hashes[1]);
  }, 60_000);

  it("exports the callbacks that index.ts names, and nothing else", async () => {
    const built = await buildSources({ "index.ts": index(`${FIRST}, proxy_on_request_headers, proxy_on_log`), "filter.ts": FILTER });
    if (!built.ok) throw new Error(built.errors);
    const loaded = loadModule(built.binary);
    if (!loaded.ok) throw new Error(loaded.reason);
    expect([...loaded.exports].sort()).toEqual(["_initialize", "malloc", "proxy_abi_version_0_2_1", "proxy_on_configure", "proxy_on_context_create", "proxy_on_delete", "proxy_on_log", "proxy_on_request_headers"]);
  }, 60_000);

  it("refuses a callback that is implemented but not exported", async () => {
    const built = await buildSources({ "index.ts": index(`${FIRST}, proxy_on_request_headers`), "filter.ts": FILTER });
    expect(built).toMatchObject({ ok: false, errors: expect.stringContaining("Stream.onLog is implemented but index.ts does not export proxy_on_log") });
  }, 60_000);

  it("refuses a filter without the exports every filter needs", async () => {
    const built = await buildSources({ "index.ts": index("proxy_abi_version_0_2_1, malloc, proxy_on_context_create, proxy_on_configure, proxy_on_request_headers, proxy_on_log"), "filter.ts": FILTER });
    expect(built).toMatchObject({ ok: false, errors: expect.stringContaining("index.ts must export proxy_on_delete") });
  }, 60_000);

  it("refuses a connection's callback that is not exported", async () => {
    const filter = `
import { NetworkContext, PeerType, registerRoot, RootContext } from "as-proxy-wasm-sdk";
class Root extends RootContext { override createNetworkContext(): NetworkContext { return new Connection(); } override onQueueReady(queue: u32): void {} }
class Connection extends NetworkContext { override onGrpcClose(token: u32, status: u32): void {} override onUpstreamClose(peer: PeerType): void {} }
registerRoot(() => new Root());`;
    const built = await buildSources({ "index.ts": index(FIRST), "filter.ts": filter });
    if (built.ok) throw new Error("it was built");
    for (const line of ["Root.onQueueReady is implemented but index.ts does not export proxy_on_queue_ready", "Connection.onGrpcClose", "Connection.onUpstreamClose"]) expect(built.errors).toContain(line);
  }, 60_000);

  it("shows the compiler's message for a mistake", async () => {
    const built = await buildSources({ "index.ts": index(FIRST), "filter.ts": "const x: Missing = 1;" });
    expect(built).toMatchObject({ ok: false, errors: expect.stringMatching(/Cannot find name 'Missing'[^]*filter\.ts\(1,10\)/) });
  }, 60_000);
});
