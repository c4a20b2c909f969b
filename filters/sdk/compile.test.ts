import { createHash } from "node:crypto";
import { loadModule } from "../../test/host/module.ts";
import { describe, expect, it } from "vitest";
import { buildSources } from "./testing/build.ts";

const FIRST = "proxy_abi_version_0_2_1, malloc, proxy_on_context_create, proxy_on_configure, proxy_on_delete";
const FILTER = `
import { FilterHeadersStatus, HttpContext, registerRoot, RootContext } from "as-proxy-wasm-sdk";
class Root extends RootContext { override createHttpContext(): HttpContext { return new Stream(); } }
class Stream extends HttpContext {
  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }
  override onLog(): void {}
}
registerRoot(() => new Root());`;
const index = (names: string): string => `import "./filter";\nexport { ${names} } from "as-proxy-wasm-sdk/exports";`;

describe("compiling a filter", () => {
  it("gives the same bytes each time", async () => {
    const sources = { "index.ts": index(`${FIRST}, proxy_on_request_headers, proxy_on_log`), "filter.ts": FILTER };
    const hashes = [await buildSources(sources), await buildSources(sources)].map((built) =>
      createHash("sha256")
        .update(built.ok ? built.binary : built.errors)
        .digest("hex"),
    );
    expect(hashes[0]).toBe(hashes[1]);
  }, 60_000);

  it("takes the memory profile from a line of index.ts", async () => {
    const exported = index(`${FIRST}, proxy_on_request_headers, proxy_on_log`);
    const build = async (line: string): Promise<string> => {
      const built = await buildSources({ "index.ts": `${line}${exported}`, "filter.ts": FILTER });
      return built.ok ? createHash("sha256").update(built.binary).digest("hex") : built.errors;
    };
    const [unsaid, fast, convenient, mistaken] = [
      await build(""),
      await build("// memory: fast\n"),
      await build("// memory: convenient\n"),
      await build("// memory: large\n"),
    ];
    expect(fast).toBe(unsaid);
    expect(convenient).not.toBe(unsaid);
    expect(mistaken).toContain('index.ts: expected "// memory: fast" or "// memory: convenient"');
  }, 180_000);

  it("exports the callbacks that index.ts names, and nothing else", async () => {
    const built = await buildSources({
      "index.ts": index(`${FIRST}, proxy_on_request_headers, proxy_on_log`),
      "filter.ts": FILTER,
    });
    if (!built.ok) throw new Error(built.errors);
    const loaded = loadModule(built.binary);
    if (loaded.kind === "failed") throw new Error(loaded.message);
    expect([...loaded.exports].sort()).toEqual([
      "_initialize",
      "malloc",
      "proxy_abi_version_0_2_1",
      "proxy_on_configure",
      "proxy_on_context_create",
      "proxy_on_delete",
      "proxy_on_log",
      "proxy_on_request_headers",
    ]);
  }, 60_000);

  it("refuses a callback that is implemented but not exported", async () => {
    const built = await buildSources({ "index.ts": index(`${FIRST}, proxy_on_request_headers`), "filter.ts": FILTER });
    expect(built).toMatchObject({
      ok: false,
      errors: expect.stringContaining("Stream.onLog is implemented but index.ts does not export proxy_on_log"),
    });
  }, 60_000);

  it("refuses a filter without the exports every filter needs", async () => {
    const built = await buildSources({
      "index.ts": index(
        "proxy_abi_version_0_2_1, malloc, proxy_on_context_create, proxy_on_configure, " +
          "proxy_on_request_headers, proxy_on_log",
      ),
      "filter.ts": FILTER,
    });
    expect(built).toMatchObject({ ok: false, errors: expect.stringContaining("index.ts must export proxy_on_delete") });
  }, 60_000);

  it("refuses a connection's callback that is not exported", async () => {
    const filter = `
import { NetworkContext, PeerType, registerRoot, RootContext } from "as-proxy-wasm-sdk";
class Root extends RootContext {
  override createNetworkContext(): NetworkContext { return new Connection(); }
  override onQueueReady(queue: u32): void {}
}
class Connection extends NetworkContext {
  override onGrpcClose(token: u32, status: u32): void {}
  override onUpstreamClose(peer: PeerType): void {}
}
registerRoot(() => new Root());`;
    const built = await buildSources({ "index.ts": index(FIRST), "filter.ts": filter });
    if (built.ok) throw new Error("it was built");
    for (const line of [
      "Root.onQueueReady is implemented but index.ts does not export proxy_on_queue_ready",
      "Connection.onGrpcClose",
      "Connection.onUpstreamClose",
    ])
      expect(built.errors).toContain(line);
  }, 60_000);

  it("shows the compiler's message for a mistake", async () => {
    const built = await buildSources({ "index.ts": index(FIRST), "filter.ts": "const x: Missing = 1;" });
    expect(built).toMatchObject({
      ok: false,
      errors: expect.stringMatching(/Cannot find name 'Missing'[\s\S]*filter\.ts\(1,10\)/),
    });
  }, 60_000);
});

describe("how a stream ends", () => {
  const root =
    "  override createHttpContext(): HttpContext { return new Stream(); }\n}\nregisterRoot(() => new Root());";
  const filter = (callbacks: string): string =>
    `import { FilterHeadersStatus, HttpContext, registerRoot, RootContext } from "as-proxy-wasm-sdk";
class Stream extends HttpContext {
${callbacks}
}
class Root extends RootContext {
${root}`;
  const onRequest = `  override onRequestHeaders(headers: u32, end: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }`;
  const onLog = "  override onLog(): void {}";
  /** index.ts that takes these beside what every filter has, and those from a file of their own. */
  const exporting = (names: string, more = "", file = ""): string =>
    `import "./filter";
export { malloc, proxy_abi_version_0_2_1, proxy_on_configure${names && `, ${names}`} } from "as-proxy-wasm-sdk/exports";
${more && `export { ${more} } from "as-proxy-wasm-sdk/${file}";`}`;
  const build = async (callbacks: string, index: string) => {
    const result = await buildSources({ "index.ts": index, "filter.ts": filter(callbacks) });
    return result.ok ? "ok" : result.errors;
  };

  it.each([
    [
      "told by delete",
      onRequest,
      exporting("proxy_on_context_create, proxy_on_delete, proxy_on_request_headers"),
      "ok",
    ],
    [
      "never told",
      onRequest,
      exporting("proxy_on_context_create, proxy_on_request_headers"),
      "index.ts must export proxy_on_delete",
    ],
    [
      "done at once",
      onRequest,
      exporting("", "proxy_on_context_create, proxy_on_request_headers", "exports-once"),
      "ok",
    ],
    [
      "done at once, but with more to do",
      `${onRequest}\n${onLog}`,
      exporting("proxy_on_log", "proxy_on_context_create, proxy_on_request_headers", "exports-once"),
      "Stream.onLog cannot be together with exports-once",
    ],
    [
      "done at the log",
      `${onRequest}\n${onLog}`,
      exporting("proxy_on_request_headers", "proxy_on_context_create, proxy_on_log", "exports-last"),
      "ok",
    ],
    [
      "done at the log, half said",
      `${onRequest}\n${onLog}`,
      exporting("proxy_on_context_create, proxy_on_request_headers", "proxy_on_log", "exports-last"),
      "must take proxy_on_context_create from exports-last too",
    ],
  ])("%s", async (_name, callbacks, index, said) => {
    expect(await build(callbacks, index)).toContain(said);
  });
});
