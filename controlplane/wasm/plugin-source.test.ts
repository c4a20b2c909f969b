import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileOrigin, type KubernetesOrigin } from "../model/origin.ts";
import type { WasmPluginSpec } from "../model/kinds/wasm-plugin.ts";
import type { MeshObject } from "../model/object.ts";
import { pluginSource } from "./plugin-source.ts";

function plugin(spec: WasmPluginSpec): MeshObject<"WasmPlugin"> {
  return {
    kind: "WasmPlugin",
    apiVersion: "extensions.istio.io/v1alpha1",
    metadata: { name: "p", namespace: "default", labels: {}, annotations: {} },
    spec,
    origin: fileOrigin("/mesh/plugin.yaml"),
  };
}

describe("a file's path", () => {
  const inCluster: KubernetesOrigin = {
    kind: "kubernetes",
    object: "WasmPlugin/default/p",
    uid: "u",
    resourceVersion: "1",
  };

  it("is relative to the YAML file, and can only be absolute for an object that is in none", () => {
    const relative = plugin({ url: "file://../x.wasm" });
    expect(pluginSource(relative).location).toEqual({ kind: "file", path: "/x.wasm" });
    expect(pluginSource({ ...relative, origin: inCluster }).location).toEqual({
      kind: "failed",
      code: "unsupported-url",
      field: "spec.url",
      message: '"file://../x.wasm" begins at a YAML file, and this object is in none',
    });
    expect(pluginSource({ ...plugin({ url: "file:///a/x.wasm" }), origin: inCluster }).location).toEqual({
      kind: "file",
      path: "/a/x.wasm",
    });
  });
});

describe("the annotation for StopIteration", () => {
  it.each([
    [{ "scrim.mesh/allow-on-headers-stop-iteration": "true" }, true],
    [{ "scrim.mesh/allow-on-headers-stop-iteration": "false" }, false],
    [{ "scrim.mesh/allow-on-headers-stop-iteration": "" }, undefined],
    [{}, undefined],
  ])("%j", (annotations, allowed) => {
    const given = plugin({ url: "file:///a/x.wasm" });
    const { settings } = pluginSource({ ...given, metadata: { ...given.metadata, annotations } });
    expect(settings.allowOnHeadersStopIteration).toBe(allowed);
  });
  it.each(["no", "True", "1"])("says that %j is neither true nor false", (text) => {
    const given = plugin({ url: "file:///a/x.wasm" });
    const annotations = { "scrim.mesh/allow-on-headers-stop-iteration": text };
    expect(pluginSource({ ...given, metadata: { ...given.metadata, annotations } }).location).toMatchObject({
      kind: "failed",
      field: 'metadata.annotations["scrim.mesh/allow-on-headers-stop-iteration"]',
      message: `is neither true nor false: ${JSON.stringify(text)}`,
    });
  });
});

describe("rules of trust", () => {
  const demands = (url: string, match: string) =>
    pluginSource(plugin({ url }), { secret: () => undefined, pluginTrust: [{ match: [match], keys: ["K"] }] }).trust
      .demands.length;

  it.each([
    ["oci://a.io/team/**", "oci://A.io:443/team/x:v1"],
    ["oci://a.io/team/*", `a.io/team/x@sha256:${"ab".repeat(32)}`],
    ["oci://docker.io/library/*", "x:v2"],
    ["oci://docker.io/library/*", "oci://registry-1.docker.io/library/x"],
    ["https://a.io/team/**", "https://A.io:443/team/x.wasm"],
    ["https://a.io/team/**", "https://a.io./team/x.wasm"],
    ["http://127.0.0.1:8080/**", "http://0x7f.1:8080/x"],
    ["oci://127.0.0.1:5000/**", "oci://0x7f.1:5000/x"],
    ["https://a.io/team/**", "https://a.io/%74eam/x.wasm"],
    ["https://a.io/team/**", "https://a.io//team/x.wasm"],
    ["https://a.io/team/**", "https://a.io/other/../team/x.wasm"],
    ["https://a.io/team/**", "https://me:secret@a.io/team/x.wasm"],
    ["file:///mesh/x.wasm", "file://./x.wasm"],
    ["file:///mesh/**", "file:///mesh/other/../x.wasm"],
    ["**", "https://a.io/%ff%e2%80%af"],
  ])("%s hold for %s", (match, url) => expect(demands(url, match)).toBe(1));

  it.each([
    ["oci://a.io/team/**", "oci://a.io/teams/x"],
    ["oci://a.io/**", "oci://a.io.b.io/x"],
    ["https://a.io/team/**", "https://a.io/team%2Fx.wasm"],
    ["https://a.io/**", "http://a.io/x"],
  ])("%s do not hold for %s", (match, url) => expect(demands(url, match)).toBe(0));
});

describe("a source", () => {
  it("is found or not for any URL, without throwing", () => {
    const urls = fc.oneof(
      fc.string(),
      ...["oci://", "https://", "http://a/", "file://", "oci://a:"].map((scheme) =>
        fc.string().map((rest) => `${scheme}${rest}`),
      ),
      fc.stringMatching(/^oci:\/\/[a-z0-9.:[\]x-]{1,20}\/[a-z]{1,3}(:[a-z0-9.]{1,4})?$/),
    );
    fc.assert(
      fc.property(urls, (url) => void pluginSource(plugin({ url }))),
      { numRuns: 1_000 },
    );
  });
});

describe("a password in a URL", () => {
  it("is in no message", async () => {
    const { download } = await import("./fetch/download.ts");
    const { createHttpClient } = await import("./fetch/http-client.ts");
    const { createAddressPolicy } = await import("./fetch/address-policy.ts");
    const client = createHttpClient({ addresses: createAddressPolicy([]), maxRedirects: 1 });
    const result = await download(client, "http://me:secret@127.0.0.1:1/x.wasm?token=mine", {
      maxBytes: 1,
      timeoutMs: 1_000,
    });
    expect(result).toEqual({
      kind: "failed",
      code: "address-refused",
      message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/x\.wasm: 127\.0\.0\.1 is a loopback address/),
    });
  });
});
