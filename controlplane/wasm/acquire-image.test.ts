import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../../test/fakes/fake-registry.ts";
import { isFailed } from "../model/failure.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import type { ModuleAcquirer } from "./acquire-module.ts";
import type { RegistryCredential } from "./oci/credentials.ts";
import { parseImageReference } from "./oci/reference.ts";
import { tarOfFile } from "./oci/tar.ts";
import { createAcquirerFor } from "./plugin-fetcher.ts";
import type { PluginSource } from "./plugin-source.ts";

let directory: string;
let registry: FakeRegistry;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "scrim-images-"));
  registry = await startFakeRegistry();
});
afterEach(() => {
  registry.close();
  rmSync(directory, { recursive: true, force: true });
});

const MODULE_TYPE = "application/vnd.module.wasm.content.layer.v1+wasm";
const acquirer = (options: Partial<Parameters<typeof createAcquirerFor>[0]> = {}): ModuleAcquirer =>
  createAcquirerFor({
    cacheDir: directory,
    clock: createSystemClock(),
    allowFetchFrom: ["127.0.0.0/8"],
    maxModuleBytes: 1_000,
    downloadTimeoutMs: 20_000,
    ...options,
  });

function source(name: string, more: Partial<PluginSource> = {}, credential?: RegistryCredential): PluginSource {
  const reference = parseImageReference(`oci://${registry.host}/${name}`);
  if (reference === undefined) throw new Error(name);
  return {
    location: { kind: "image", reference, credential },
    reuse: true,
    trust: { demands: [], grants: [] },
    settings: { configuration: "", rootId: "", environment: {}, hostEnvironment: [] },
    ...more,
  };
}

function put(tag: string, module: string): string {
  const config = registry.putBlob("a", "application/vnd.module.wasm.config.v1+json", Buffer.from("{}"));
  return registry.putManifest("a", tag, {
    schemaVersion: 2,
    config,
    layers: [registry.putBlob("a", MODULE_TYPE, Buffer.from(module))],
  });
}

async function got(from: ModuleAcquirer, asked: PluginSource, fresh = false): Promise<string> {
  const result = await from.acquire(asked, fresh);
  return isFailed(result)
    ? `${result.field}: ${result.message}`
    : `${Buffer.from(result.module.bytes).toString()}${result.stale === undefined ? "" : " (stale)"}`;
}

describe("images", () => {
  it("give their module, by tag and by digest, in every layout, through indexes", async () => {
    const digest = put("v1", "one");
    const config = registry.putBlob("a", "application/vnd.oci.image.config.v1+json", Buffer.from("{}"));
    registry.putManifest(
      "a",
      "docker",
      {
        schemaVersion: 2,
        config,
        layers: [
          registry.putBlob(
            "a",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            gzipSync(tarOfFile("plugin.wasm", Buffer.from("two"))),
          ),
        ],
      },
      "application/vnd.docker.distribution.manifest.v2+json",
    );
    registry.putManifest("a", "cncf", {
      schemaVersion: 2,
      config,
      layers: [registry.putBlob("a", "application/wasm", Buffer.from("three"))],
    });
    const index = registry.putManifest(
      "a",
      "index",
      {
        schemaVersion: 2,
        manifests: [
          {
            mediaType: "application/vnd.oci.image.manifest.v1+json",
            digest,
            size: 1,
            platform: { os: "wasip1", architecture: "wasm" },
          },
        ],
      },
      "application/vnd.oci.image.index.v1+json",
    );
    const from = acquirer();
    expect(
      await Promise.all(
        ["a:v1", `a@${digest}`, "a:docker", "a:cncf", "a:index", `a@${index}`].map((name) => got(from, source(name))),
      ),
    ).toEqual(["one", "one", "two", "three", "one", "one"]);
    const hex = (text: string) => text.slice("sha256:".length);
    expect(await got(from, source("a:index", { sha256: hex(index) }))).toBe("one");
    expect(await got(from, source("a:index", { sha256: hex(digest) }))).toBe("one");
    expect(await got(from, source("a:index", { sha256: "0".repeat(64) }))).toMatch(
      /^spec.sha256: the image's digest is sha256:/,
    );
  });

  it("are fetched once for all who ask at once, and not again while what was had will do", async () => {
    put("v1", "one");
    const from = acquirer();
    await Promise.all(Array.from({ length: 20 }, () => got(from, source("a:v1"))));
    expect(registry.requests.map(({ line }) => line.split("/")[3])).toEqual(["manifests", "blobs"]);
    put("v1", "two");
    expect(await got(from, source("a:v1"))).toBe("one");
    expect(await got(from, source("a:v1"), true)).toBe("two");
    expect(await got(acquirer(), source("a:v1"))).toBe("two");
  });

  it("whose tag did not move cost a manifest and no layer", async () => {
    put("v1", "one");
    const from = acquirer();
    await got(from, source("a:v1"));
    const before = registry.requests.length;
    expect(await got(from, source("a:v1"), true)).toBe("one");
    expect(registry.requests.slice(before).map(({ line }) => line)).toEqual(["GET /v2/a/manifests/v1"]);
  });

  it("are had from before when the registry is gone, and by digest without asking it", async () => {
    const digest = put("v1", "one");
    await got(acquirer(), source("a:v1"));
    registry.answer((_, response) => void response.writeHead(503).end());
    expect(await got(acquirer(), source("a:v1", { reuse: false }), true)).toBe("one (stale)");
    expect(await got(acquirer(), source(`a@${digest}`), true)).toBe("one");
  });

  it("fetched with a credential are not for those who have none, or another", async () => {
    const digest = put("v1", "one");
    registry.answer((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from("me:right").toString("base64")}`) return false;
      return void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
    });
    const who = (password: string): RegistryCredential => ({ kind: "password", username: "me", password });
    const from = acquirer();
    for (const name of ["a:v1", `a@${digest}`]) {
      expect(await got(from, source(name, {}, who("right")))).toBe("one");
      expect(await got(from, source(name))).toContain("refuses access (401) without a credential");
      expect(await got(from, source(name, {}, who("wrong")))).toContain(
        "refuses access (401) with the credential given",
      );
    }
  });

  it("do not fill the disk: what was not used for longest goes", async () => {
    const from = acquirer({ maxCacheBytes: 250 });
    for (let i = 0; i < 5; i++) {
      put(`v${i}`, `${i}`.repeat(100));
      await got(from, source(`a:v${i}`));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(readdirSync(join(directory, "plugins", "modules"))).toHaveLength(2);
    expect(await got(from, source("a:v0"))).toBe("0".repeat(100));
  });
});

describe("registries that lie", () => {
  const cases: readonly (readonly [string, Parameters<FakeRegistry["answer"]>[0], string])[] = [
    [
      "give another layer",
      (request, response) => (request.url?.includes("/blobs/") ? void response.end("eno") : false),
      "the layer's digest is sha256:",
    ],
    [
      "give a part of a layer",
      (request, response) => (request.url?.includes("/blobs/") ? void response.end("on") : false),
      "has 2 bytes, not 3",
    ],
    [
      "break off",
      (request, response) => {
        if (request.url?.includes("/blobs/") !== true) return false;
        response.writeHead(200, { "content-length": "3" });
        response.write("o");
        setTimeout(() => response.destroy(), 20);
      },
      "http://127.0.0.1",
    ],
    [
      "never end a layer",
      (request, response) => {
        if (request.url?.includes("/blobs/") !== true) return false;
        const more = setInterval(() => response.write("x".repeat(100)), 1);
        response.on("close", () => clearInterval(more));
      },
      "larger than 3 bytes",
    ],
    [
      "never end a manifest",
      (_, response) => {
        const more = setInterval(() => response.write(Buffer.alloc(1_000_000)), 1);
        response.on("close", () => clearInterval(more));
      },
      "larger than 4194304 bytes",
    ],
    [
      "say another digest than the manifest's",
      (_, response) =>
        void response
          .setHeader("docker-content-digest", `sha256:${"0".repeat(64)}`)
          .end('{"schemaVersion":2,"layers":[]}'),
      "as the registry says",
    ],
    [
      "redirect to where clouds keep credentials",
      (request, response) =>
        request.url?.includes("/blobs/")
          ? void response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data/iam" }).end()
          : false,
      "metadata service",
    ],
    [
      "redirect into a private network",
      (request, response) =>
        request.url?.includes("/blobs/")
          ? void response.writeHead(307, { location: "http://10.0.0.1/x" }).end()
          : false,
      "private address",
    ],
    [
      "redirect without end",
      (request, response) => void response.writeHead(307, { location: request.url ?? "" }).end(),
      "more than 5 redirects",
    ],
    [
      "send for a token to where clouds keep credentials",
      (_, response) =>
        void response.writeHead(401, { "www-authenticate": 'Bearer realm="http://169.254.169.254/token"' }).end(),
      "metadata service",
    ],
    [
      "send for a token to a file",
      (_, response) => void response.writeHead(401, { "www-authenticate": 'Bearer realm="file:///etc/passwd"' }).end(),
      "which is no http URL",
    ],
    [
      "ask who one is for ever",
      (_, response) => void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end(),
      "refuses access",
    ],
    ["answer no JSON", (_, response) => void response.end("<html>"), "not JSON"],
    ["answer nothing", (_, response) => void response.destroy(), "http://127.0.0.1"],
  ];
  it.each(cases)("and %s give nothing", async (_, answer, reason) => {
    put("v1", "one");
    registry.answer(answer);
    const result = await got(acquirer(), source("a:v1", {}, { kind: "password", username: "u", password: "p" }));
    expect(result).toContain("spec.url: ");
    expect(result).toContain(reason);
  });

  it("and never answer are given up", async () => {
    registry.answer(() => undefined);
    expect(await got(acquirer({ downloadTimeoutMs: 200 }), source("a:v1"))).toContain("no complete answer in time");
  });

  it("and promise more than is allowed are not even asked for it", async () => {
    put("v1", "x".repeat(1_001));
    expect(await got(acquirer(), source("a:v1"))).toContain("is larger than 1000 bytes (1001)");
    expect(registry.requests.filter(({ line }) => line.includes("/blobs/"))).toEqual([]);
  });

  it("and answer another digest than was asked for give nothing", async () => {
    put("v1", "one");
    const other = put("v2", "two");
    registry.answer((request, response) =>
      request.url?.endsWith(other) === true ? void response.end('{"schemaVersion":2,"layers":[]}') : false,
    );
    expect(await got(acquirer(), source(`a@${other}`))).toContain(`not ${other} as was asked for`);
  });

  it("and send elsewhere for layers get no credential there", async () => {
    const storage = await startFakeRegistry();
    try {
      put("v1", "one");
      storage.answer((_, response) => void response.end("one"));
      registry.answer((request, response) => {
        if (request.headers.authorization === undefined)
          return void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
        return request.url?.includes("/blobs/") === true
          ? void response.writeHead(307, { location: `http://${storage.host}/store?signed=1` }).end()
          : false;
      });
      expect(await got(acquirer(), source("a:v1", {}, { kind: "password", username: "u", password: "p" }))).toBe("one");
      expect(storage.requests).toEqual([{ line: "GET /store?signed=1", authorization: undefined }]);
    } finally {
      storage.close();
    }
  });

  it("and stand on this machine are not asked unless that is allowed", async () => {
    put("v1", "one");
    for (const host of [registry.host, registry.host.replace("127.0.0.1", "localhost")]) {
      const reference = parseImageReference(`oci://${host}/a:v1`);
      if (reference === undefined) throw new Error(host);
      expect(
        await got(acquirer({ allowFetchFrom: [] }), { ...source("a:v1"), location: { kind: "image", reference } }),
      ).toContain("loopback");
    }
    expect(registry.requests).toEqual([]);
  });
});
