import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { type FakeRegistry, startFakeRegistry } from "../../test/fakes/fake-registry.ts";
import { wasmModule } from "../../test/fakes/wasm-module.ts";
import type { WasmPluginSpec } from "../model/kinds/wasm-plugin.ts";
import type { MeshObject } from "../model/object.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { digestOf } from "./module-cache.ts";
import { createPluginFetcher, type PluginFetcher, type PluginFetcherOptions } from "./plugin-fetcher.ts";
import type { PluginSurroundings } from "./plugin-source.ts";

let root: string;
let registry: FakeRegistry;
let open: PluginFetcher[];
let warnings: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "scrim-plugin-images-"));
  registry = await startFakeRegistry();
  open = [];
  warnings = [];
});
afterEach(() => {
  for (const fetcher of open) fetcher.close();
  registry.close();
  rmSync(root, { recursive: true, force: true });
});

function fetcher(options: Partial<PluginFetcherOptions> = {}): PluginFetcher {
  const made = createPluginFetcher({
    cacheDir: join(root, "cache"),
    stateDir: join(root, "state"),
    clock: createSystemClock(),
    log: { info: () => {}, warn: (_: object, message?: string) => void warnings.push(message ?? "") },
    checker: { check: async () => ({ kind: "good" }) },
    allowFetchFrom: ["127.0.0.0/8"],
    ...options,
  });
  open.push(made);
  return made;
}

function plugin(
  spec: Partial<WasmPluginSpec> = {},
  annotations: Readonly<Record<string, string>> = {},
  namespace = "default",
): MeshObject<"WasmPlugin"> {
  return {
    kind: "WasmPlugin",
    apiVersion: "extensions.istio.io/v1alpha1",
    metadata: { name: "p", namespace, labels: {}, annotations },
    spec: { url: `oci://${registry.host}/a:v1`, ...spec },
    origin: fileOrigin("plugin.yaml", 3),
  };
}

function put(tag: string, module: Uint8Array, annotations: Readonly<Record<string, string>> = {}): string {
  const config = registry.putBlob("a", "application/vnd.module.wasm.config.v1+json", Buffer.from("{}"));
  return registry.putManifest("a", tag, {
    schemaVersion: 2,
    config,
    layers: [registry.putBlob("a", "application/vnd.module.wasm.content.layer.v1+wasm", module)],
    annotations,
  });
}

const one = wasmModule(["env.proxy_log"]);
const two = wasmModule(["env.proxy_log", "env.proxy_http_call"]);

function served(from: PluginFetcher, namespace = "default"): string {
  const state = from.plugin(namespace, "p");
  return state.kind !== "module" ? state.kind : state.module.sha256 === digestOf(one) ? "one" : "two";
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const asked = () => registry.requests.filter(({ line }) => line.includes("/manifests/")).length;

describe("plugins from images", () => {
  it("with a named tag stay what they were until they are asked for again", async () => {
    put("v1", one);
    const plugins = fetcher();
    plugins.update([plugin()]);
    await plugins.settled();
    put("v1", two);
    plugins.update([plugin({ priority: 1 })]);
    await plugins.settled();
    expect(served(plugins)).toBe("one");
    plugins.refetch("default", "p");
    await until(() => served(plugins) === "two");
  });

  it.each([
    ["with the tag latest", ":latest", undefined, true],
    ["without a tag", "", undefined, true],
    ["with the tag latest and IfNotPresent", ":latest", "IfNotPresent", false],
    ["with Always", ":v1", "Always", true],
    ["with another tag", ":v1", undefined, false],
  ] as const)(
    "%s are fetched again when their object changes: Istio's rule",
    async (_, tag, imagePullPolicy, again) => {
      put(tag === "" ? "latest" : tag.slice(1), one);
      const plugins = fetcher();
      const spec = { url: `oci://${registry.host}/a${tag}`, ...(imagePullPolicy !== undefined && { imagePullPolicy }) };
      plugins.update([plugin(spec)]);
      await plugins.settled();
      const before = asked();
      plugins.update([plugin({ ...spec, priority: 1 })]);
      await plugins.settled();
      expect(asked() - before).toBe(again ? 1 : 0);
    },
  );

  it("are looked at again after their poll interval", async () => {
    put("v1", one);
    const plugins = fetcher();
    plugins.update([plugin({}, { "scrim.mesh/poll-interval": "1s" })]);
    await plugins.settled();
    put("v1", two);
    await until(() => served(plugins) === "two");
  });

  it("say so when their poll interval is none", async () => {
    const plugins = fetcher();
    plugins.update([plugin({}, { "scrim.mesh/poll-interval": "often" })]);
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({ field: 'metadata.annotations["scrim.mesh/poll-interval"]' });
  });

  it("keep running when the registry is gone, also over a restart", async () => {
    put("v1", one);
    const before = fetcher();
    before.update([plugin({ imagePullPolicy: "Always" })]);
    await before.settled();
    before.close();
    registry.answer((_, response) => void response.destroy());
    const after = fetcher();
    after.update([plugin({ imagePullPolicy: "Always" })]);
    await until(() => after.problems().length > 0);
    expect(served(after)).toBe("one");
    expect(after.problems()[0]).toMatchObject({
      severity: "error",
      field: "spec.url",
      servingLastGood: true,
      message: expect.stringContaining("what was fetched before is used"),
    });
  });
});

describe("pull secrets", () => {
  const secret = (namespace: string, password: string): MeshObject<"Secret"> => ({
    kind: "Secret",
    apiVersion: "v1",
    metadata: { name: "s", namespace, labels: {}, annotations: {} },
    origin: fileOrigin("f"),
    spec: {
      type: "kubernetes.io/dockerconfigjson",
      data: {
        ".dockerconfigjson": Buffer.from(
          JSON.stringify({ auths: { [registry.host]: { username: "me", password } } }),
        ).toString("base64"),
      },
    },
  });
  const around = (...secrets: readonly MeshObject<"Secret">[]): PluginSurroundings => ({
    pluginTrust: [],
    secret: (namespace, name) =>
      secrets.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  });
  beforeEach(() =>
    registry.answer((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from("me:right").toString("base64")}`) return false;
      response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
    }),
  );

  it("are of the plugin's own namespace, and what one of them opened stays closed to others", async () => {
    put("v1", one);
    const plugins = fetcher();
    plugins.update([plugin({ imagePullSecret: "s" })], around(secret("default", "right")));
    await plugins.settled();
    expect(served(plugins)).toBe("one");
    plugins.update(
      [plugin({ imagePullSecret: "s" }), plugin({ imagePullSecret: "s" }, {}, "other"), plugin({}, {}, "third")],
      around(secret("default", "right")),
    );
    await until(() => plugins.problems().length === 2);
    expect(plugins.problems().map(({ object, field, message }) => `${object} ${field}: ${message}`)).toEqual([
      "WasmPlugin/other/p spec.imagePullSecret: the Secret other/s is not there: " +
        "a pull secret must be in the plugin's namespace",
      expect.stringMatching(/^WasmPlugin\/third\/p spec.url: .*refuses access \(401\) without a credential/),
    ]);
  });

  it("count as soon as they come or change, and are told to nobody", async () => {
    put("v1", one);
    const plugins = fetcher();
    const object = plugin({ imagePullSecret: "s" });
    plugins.update([object], around());
    await until(() => plugins.problems().length > 0);
    plugins.update([object], around(secret("default", "wrong-password")));
    await until(() => plugins.problems()[0]?.message.includes("with the credential given") === true);
    plugins.update([object], around(secret("default", "right")));
    await until(() => served(plugins) === "one");
    expect(plugins.problems()).toEqual([]);
    expect(warnings.join("\n")).not.toContain("wrong-password");
  });

  it.each([
    ["another type", { type: "Opaque", data: {} }, "is no pull secret"],
    ["no content", { type: "kubernetes.io/dockerconfigjson", data: {} }, "has no .dockerconfigjson"],
    ["no JSON", { type: "kubernetes.io/dockerconfigjson", stringData: { ".dockerconfigjson": "x" } }, "is not JSON"],
    [
      "another registry",
      {
        type: "kubernetes.io/dockerconfigjson",
        stringData: { ".dockerconfigjson": '{"auths":{"a.io":{"username":"a","password":"b"}}}' },
      },
      "has no credential for 127.0.0.1",
    ],
  ])("of %s are named", async (_, spec, reason) => {
    const plugins = fetcher();
    plugins.update([plugin({ imagePullSecret: "s" })], around({ ...secret("default", ""), spec }));
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({
      field: "spec.imagePullSecret",
      message: expect.stringContaining(reason),
    });
  });
});

describe("trust in plugins", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const verificationKey = publicKey.export({ type: "spki", format: "pem" }).toString();
  const signImage = (digest: string): void => {
    const payload = Buffer.from(
      JSON.stringify({
        critical: { image: { "docker-manifest-digest": digest }, type: "cosign container image signature" },
      }),
    );
    const layer = {
      ...registry.putBlob("a", "application/vnd.dev.cosign.simplesigning.v1+json", payload),
      annotations: { "dev.cosignproject.cosign/signature": sign("sha256", payload, privateKey).toString("base64") },
    };
    registry.putManifest("a", `${digest.replace(":", "-")}.sig`, {
      schemaVersion: 2,
      config: registry.putBlob("a", "application/vnd.oci.image.config.v1+json", Buffer.from("{}")),
      layers: [layer],
    });
  };

  it("comes with a signature, which a restart need not ask for again", async () => {
    const digest = put("v1", one);
    const plugins = fetcher();
    plugins.update([plugin({ verificationKey })]);
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({
      field: "spec.verificationKey",
      message: `the module ${digest} must be signed by a key of spec.verificationKey, and it has none`,
    });
    expect(served(plugins)).toBe("unavailable");
    signImage(digest);
    await until(() => served(plugins) === "one");
    plugins.close();
    registry.answer((_, response) => void response.destroy());
    const after = fetcher({ stateDir: undefined });
    after.update([plugin({ verificationKey })]);
    await after.settled();
    expect(served(after)).toBe("one");
  });

  it("comes to a file with the signature beside it, as soon as that is there", async () => {
    const path = join(root, "x.wasm");
    writeFileSync(path, one);
    const plugins = fetcher();
    plugins.update([plugin({ url: `file://${path}`, verificationKey })]);
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]?.message).toContain(
      `its signature is looked for in ${path}.sig: ${path}.sig: there is no such file`,
    );
    writeFileSync(`${path}.sig`, sign("sha256", one, privateKey).toString("base64"));
    await until(() => served(plugins) === "one");
  });

  it("is demanded by the mesh too; a version without it does not replace one that has it", async () => {
    signImage(put("v1", one));
    put("v2", two);
    const around: PluginSurroundings = {
      secret: () => undefined,
      pluginTrust: [{ match: ["oci://127.0.0.1:*/**"], keys: [verificationKey] }],
    };
    const plugins = fetcher();
    plugins.update([plugin()], around);
    await plugins.settled();
    plugins.update([plugin({ url: `oci://${registry.host}/a:v2` })], around);
    await until(() => plugins.problems().length > 0);
    expect(served(plugins)).toBe("one");
    expect(plugins.problems()[0]).toMatchObject({
      servingLastGood: true,
      message: expect.stringContaining("a key of pluginTrust[0] of MeshConfig"),
    });
  });

  it("tells of a version that wants more before it is there, also after a restart", async () => {
    put("v1", one);
    put("v2", two);
    const before = fetcher();
    before.update([plugin()]);
    await before.settled();
    await new Promise((resolve) => setTimeout(resolve, 100)); // let the state reach the disk
    before.close();
    const plugins = fetcher();
    const seen: string[] = [];
    plugins.onChanged(() =>
      seen.push(
        `${served(plugins)} ${plugins
          .problems()
          .map(({ severity }) => severity)
          .join()}`,
      ),
    );
    plugins.update([plugin({ url: `oci://${registry.host}/a:v2` })]);
    await until(() => served(plugins) === "two");
    expect(seen[0]).toMatch(/^(?!two).* warning$/);
    expect(plugins.problems()[0]).toMatchObject({
      severity: "warning",
      message: expect.stringContaining("the new version wants http-calls, which the one before"),
    });
    expect(warnings.join()).toContain("wants http-calls");
  });

  it("holds a version back that wants more than was granted, and lets what it may use through", async () => {
    put("v1", one, { "mesh.scrim.plugin.manifest": '{"capabilities":["metrics"]}' });
    put("v2", two);
    const granted = { "scrim.mesh/capabilities": "metrics" };
    const plugins = fetcher();
    plugins.update([plugin({}, granted)]);
    await plugins.settled();
    expect(plugins.plugin("default", "p")).toMatchObject({ kind: "module", settings: { capabilities: ["proxy_log"] } });
    plugins.update([plugin({ url: `oci://${registry.host}/a:v2` }, granted)]);
    await until(() => plugins.problems().length > 0);
    expect(plugins.problems()[0]).toMatchObject({
      severity: "error",
      servingLastGood: true,
      message: "the module wants http-calls, which the annotation scrim.mesh/capabilities does not grant",
    });
    expect(served(plugins)).toBe("one");
  });
});
