import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { wasmModule } from "../../test/fakes/wasm-module.ts";
import type { WasmPluginSpec } from "../model/kinds/wasm-plugin.ts";
import type { MeshObject } from "../model/object.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { digestOf } from "./module-cache.ts";
import { createPluginFetcher, type PluginFetcher, type PluginFetcherOptions } from "./plugin-fetcher.ts";
import type { PluginChecker } from "./process-checker.ts";

let root: string;
let open: { close(): void }[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "scrim-plugins-"));
  mkdirSync(join(root, "mesh"));
  open = [];
});
afterEach(() => {
  for (const thing of open) thing.close();
  rmSync(root, { recursive: true, force: true });
});

/** Finds bytes bad that begin with "bad", and configurations that ask to be refused. */
const checker: PluginChecker = {
  check: async ({ bytes }, settings) =>
    Buffer.from(bytes).toString().startsWith("bad") || settings.configuration.includes("refuse")
      ? { kind: "bad", reason: "configure: refused" }
      : { kind: "good" },
};

function plugin(name: string, spec: WasmPluginSpec): MeshObject<"WasmPlugin"> {
  return {
    kind: "WasmPlugin",
    apiVersion: "extensions.istio.io/v1alpha1",
    metadata: { name, namespace: "default", labels: {}, annotations: {} },
    spec,
    origin: fileOrigin(join(root, "mesh", "plugin.yaml"), 3),
  };
}

function fetcher(options: Partial<PluginFetcherOptions> = {}): PluginFetcher {
  const made = createPluginFetcher({
    cacheDir: join(root, "cache"),
    stateDir: join(root, "state"),
    clock: createSystemClock(),
    log: { info: () => {}, warn: () => {} },
    checker,
    allowFetchFrom: ["127.0.0.0/8"],
    ...options,
  });
  open.push(made);
  return made;
}

function put(name: string, content: string): void {
  writeFileSync(join(root, "mesh", `${name}.new`), content);
  renameSync(join(root, "mesh", `${name}.new`), join(root, "mesh", name));
}

function served(from: PluginFetcher, name = "p"): string | undefined {
  const state = from.plugin("default", name);
  return state.kind === "module"
    ? `${Buffer.from(state.module.bytes).toString()} ${state.settings.configuration}`.trim()
    : undefined;
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function serve(handler: http.RequestListener): Promise<string> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => void (server.close(), server.closeAllConnections()) });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("plugins from files", () => {
  it("are had relative to the YAML file, and again when their content changes", async () => {
    put("x.wasm", "one");
    const plugins = fetcher();
    let changes = 0;
    plugins.onChanged(() => changes++);
    plugins.update([plugin("p", { url: "file://./x.wasm", pluginConfig: { a: 1 } })]);
    await plugins.settled();
    expect(served(plugins)).toBe('one {"a":1}');
    put("x.wasm", "two");
    await until(() => served(plugins) === 'two {"a":1}');
    expect(changes).toBe(2);
  });

  it("keep the last good module when a bad one comes, and say so", async () => {
    put("x.wasm", "one");
    const plugins = fetcher();
    plugins.update([plugin("p", { url: "file://x.wasm" })]);
    await plugins.settled();
    put("x.wasm", "bad");
    await until(() => plugins.problems().length > 0);
    expect(served(plugins)).toBe("one");
    expect(plugins.problems()).toEqual([
      {
        severity: "error",
        origin: fileOrigin(join(root, "mesh", "plugin.yaml"), 3),
        object: "WasmPlugin/default/p",
        field: "spec.url",
        message: "configure: refused",
        servingLastGood: true,
      },
    ]);
    put("x.wasm", "three");
    await until(() => served(plugins) === "three");
    expect(plugins.problems()).toEqual([]);
  });

  it("keep module and configuration together: a refused configuration leaves the old one with its module", async () => {
    put("x.wasm", "one");
    const plugins = fetcher();
    plugins.update([plugin("p", { url: "file://x.wasm", pluginConfig: { a: 1 } })]);
    await plugins.settled();
    let told = 0;
    plugins.onChanged(() => told++);
    plugins.update([plugin("p", { url: "file://x.wasm", pluginConfig: { refuse: true } })]);
    expect(plugins.waiting()).toEqual(["default/p"]);
    await plugins.settled();
    expect(plugins.waiting()).toEqual([]);
    expect(told).toBe(1);
    expect(served(plugins)).toBe('one {"a":1}');
    expect(plugins.problems()[0]).toMatchObject({ field: "spec.pluginConfig", servingLastGood: true });
  });

  it("say which fields of a manifest nobody reads, and are refused for them where the mesh is strict", async () => {
    const manifest = JSON.stringify({ name: "x", capabilites: ["headers"] });
    writeFileSync(join(root, "mesh", "x.wasm"), wasmModule([], [], { "scrim.manifest": manifest }));
    const said =
      'its manifest has unknown fields, which are not read: "capabilites" ' +
      "(known: name, version, capabilities, configSchema, allowOnHeadersStopIteration)";
    for (const strict of [true, false]) {
      const plugins = fetcher({ strict });
      plugins.update([plugin("p", { url: "file://x.wasm" })]);
      await plugins.settled();
      expect(plugins.problems()).toMatchObject([{ field: "spec.url", message: said }]);
      expect(plugins.plugin("default", "p").kind).toBe(strict ? "unavailable" : "module");
      plugins.close();
    }
  });

  it("keep the configuration that fits where the next one does not, by the manifest's schema", async () => {
    const schemaIn = (type: string) =>
      wasmModule([], [], { "scrim.manifest": JSON.stringify({ configSchema: { properties: { level: { type } } } }) });
    const asked: unknown[] = [];
    const holding: PluginChecker = {
      async check(_module, { configuration }, configSchema) {
        asked.push(configSchema);
        return configuration.includes("high")
          ? { kind: "bad", field: "spec.pluginConfig.level", reason: "must be integer" }
          : { kind: "good" };
      },
    };
    writeFileSync(join(root, "mesh", "x.wasm"), schemaIn("integer"));
    const plugins = fetcher({ checker: holding });
    plugins.update([plugin("p", { url: "file://x.wasm", pluginConfig: { level: 1 } })]);
    await plugins.settled();
    plugins.update([plugin("p", { url: "file://x.wasm", pluginConfig: { level: "high" } })]);
    await plugins.settled();
    expect(asked).toEqual([
      { properties: { level: { type: "integer" } } },
      { properties: { level: { type: "integer" } } },
    ]);
    expect(plugins.plugin("default", "p")).toMatchObject({
      kind: "module",
      settings: { configuration: '{"level":1}' },
    });
    expect(plugins.problems()).toMatchObject([
      { field: "spec.pluginConfig.level", message: "must be integer", servingLastGood: true },
    ]);
  });

  it("are served as they were last good after a restart with a bad file", async () => {
    put("x.wasm", "one");
    const before = fetcher();
    before.update([plugin("p", { url: "file://x.wasm" })]);
    await before.settled();
    await until(() => served(before) === "one");
    await new Promise((resolve) => setTimeout(resolve, 100)); // let the state reach the disk
    before.close();
    put("x.wasm", "bad");
    const after = fetcher();
    after.update([plugin("p", { url: "file://x.wasm" })]);
    await after.settled();
    await until(() => after.problems().length > 0);
    expect(served(after)).toBe("one");
    expect(after.problems()[0]).toMatchObject({ servingLastGood: true });
  });

  it("are unavailable while there is no good module, and come when there is one", async () => {
    const plugins = fetcher();
    plugins.update([plugin("p", { url: "file://x.wasm" })]);
    expect(plugins.plugin("default", "p").kind).toBe("unavailable"); // it may have guarded something before a restart
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({
      message: expect.stringContaining("there is no such file"),
      servingLastGood: false,
    });
    put("x.wasm", "one");
    await until(() => served(plugins) === "one");
  });

  it("are not read from what need not end", async () => {
    const plugins = fetcher();
    plugins.update([plugin("p", { url: "file:///dev/zero" }), plugin("q", { url: "file://." })]);
    await plugins.settled();
    expect(plugins.problems().map(({ message }) => message)).toEqual([
      "/dev/zero: this is no regular file",
      `${join(root, "mesh")}: this is no regular file`,
    ]);
  });

  it("that only trial calls found wanting run with a warning; in a strict mesh the last good one stays", async () => {
    const wanting: PluginChecker = {
      check: async ({ bytes }) => ({
        kind: "good",
        warnings:
          Buffer.from(bytes).toString() === "one"
            ? []
            : ["proxy_on_log trapped in a trial call", "it seems to keep something"],
      }),
    };
    for (const strict of [true, false]) {
      put("x.wasm", "one");
      const plugins = fetcher({ checker: wanting, strict, stateDir: undefined });
      plugins.update([plugin("p", { url: "file://x.wasm" })]);
      await plugins.settled();
      put("x.wasm", "two");
      await until(() => plugins.problems().length > 0);
      const message = "proxy_on_log trapped in a trial call; it seems to keep something";
      await until(() => served(plugins) === (strict ? "one" : "two"));
      expect(plugins.problems()).toMatchObject([
        strict
          ? { severity: "error", message, servingLastGood: true }
          : { severity: "warning", message, servingLastGood: false },
      ]);
    }
  });

  it("are not waited for in silence when something of ours fails", async () => {
    put("x.wasm", "one");
    const plugins = fetcher({ checker: { check: () => Promise.reject(new TypeError("ours")) } });
    plugins.update([plugin("p", { url: "file://x.wasm" })]);
    await plugins.settled();
    expect(plugins.problems()).toMatchObject([
      { field: "spec.url", message: "could not be tried: TypeError: ours", servingLastGood: false },
    ]);
  });

  it("leave the chain alone while a plugin is new and on its way", async () => {
    let release = () => {};
    const slow: PluginChecker = { check: () => new Promise((resolve) => (release = () => resolve({ kind: "good" }))) };
    put("x.wasm", "one");
    const plugins = fetcher({ checker: slow });
    plugins.update([]);
    plugins.update([plugin("p", { url: "file://x.wasm" })]);
    expect(plugins.plugin("default", "p")).toEqual({ kind: "pending" });
    await until(() => (release(), served(plugins) === "one"));
  });
});

describe("plugins from servers", () => {
  it("are fetched once for all, verified, and had from the cache when the server is gone", async () => {
    let asked = 0;
    const url = await serve((_, response) => void (asked++, response.end("one")));
    const first = fetcher();
    first.update([plugin("p", { url: `${url}/x.wasm`, sha256: digestOf(Buffer.from("one")) })]);
    await first.settled();
    expect(served(first)).toBe("one");
    const second = fetcher({ stateDir: undefined });
    second.update([plugin("p", { url: `${url}/x.wasm` })]);
    await second.settled();
    expect(served(second)).toBe("one");
    expect(asked).toBe(1);
  });

  it("are refused with another digest", async () => {
    const url = await serve((_, response) => void response.end("one"));
    const plugins = fetcher();
    plugins.update([plugin("p", { url, sha256: "0".repeat(64) })]);
    await plugins.settled();
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({ field: "spec.sha256", servingLastGood: false });
    expect(plugins.plugin("default", "p").kind).toBe("unavailable");
  });

  it("are fetched again under Always when the object changes, and otherwise when asked to", async () => {
    let content = "one";
    const url = await serve((_, response) => void response.end(content));
    const plugins = fetcher();
    plugins.update([plugin("always", { url, imagePullPolicy: "Always" }), plugin("p", { url: `${url}/p` })]);
    await plugins.settled();
    content = "two";
    plugins.update([
      plugin("always", { url, imagePullPolicy: "Always", priority: 1 }),
      plugin("p", { url: `${url}/p`, priority: 1 }),
    ]);
    await until(() => served(plugins, "always") === "two");
    expect(served(plugins)).toBe("one");
    expect(plugins.refetch("default", "p")).toBe(true);
    await until(() => served(plugins) === "two");
  });

  it("are tried again until they can be had", async () => {
    let asked = 0;
    const url = await serve(
      (_, response) => void (asked++ === 0 ? response.writeHead(503).end() : response.end("one")),
    );
    const plugins = fetcher();
    plugins.update([plugin("p", { url })]);
    await plugins.settled();
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]?.message).toContain("answered 503");
    await until(() => served(plugins) === "one");
    expect(plugins.problems()).toEqual([]);
  });

  it("are not looked for on this machine unless that is allowed", async () => {
    const url = await serve((_, response) => void response.end("one"));
    const plugins = fetcher({ allowFetchFrom: [] });
    plugins.update([
      plugin("a", { url }),
      plugin("b", { url: url.replace("127.0.0.1", "localhost") }),
      plugin("c", { url: url.replace("127.0.0.1", "[::ffff:127.0.0.1]") }),
    ]);
    await until(() => plugins.problems().length === 3);
    for (const problem of plugins.problems()) expect(problem.message).toContain("loopback");
  });
});
