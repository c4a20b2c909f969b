import zlib, { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFailed } from "../../model/failure.ts";
import { parseChallenge } from "./challenge.ts";
import { credentialFingerprint, credentialFor, helperFor, parseDockerConfig } from "./credentials.ts";
import { moduleLayer, moduleOfLayer } from "./layouts.ts";
import { chooseEntry, parseManifest } from "./manifest.ts";
import { formatImageReference, parseImageReference, registryApi } from "./reference.ts";
import { findInTar, tarOfFile } from "./tar.ts";

const hex = "ab".repeat(32);

describe("names of images", () => {
  it.each([
    ["oci://registry.example.com/team/filter:v1", "oci://registry.example.com/team/filter:v1"],
    ["registry.example.com:5000/filter", "oci://registry.example.com:5000/filter:latest"],
    ["oci://localhost/filter", "oci://localhost/filter:latest"],
    ["oci://[::1]:5000/a/b:1", "oci://[::1]:5000/a/b:1"],
    ["oci://Registry.EXAMPLE.com:443/filter:V1", "oci://registry.example.com/filter:V1"],
    ["oci://index.docker.io/library/filter", "oci://docker.io/library/filter:latest"],
    ["filter", "oci://docker.io/library/filter:latest"],
    ["team/filter:v1", "oci://docker.io/team/filter:v1"],
    [`oci://a.io/b:v1@sha256:${hex}`, `oci://a.io/b@sha256:${hex}`],
  ])("%s is %s", (text, whole) => {
    const reference = parseImageReference(text);
    expect(reference && formatImageReference(reference)).toBe(whole);
  });

  it.each([
    "oci://",
    "oci://a.io/",
    "oci://a.io/UPPER",
    "oci://a.io/b:",
    "oci://a.io/b@sha256:12",
    `oci://a.io/b@sha512:${hex}`,
    "oci://a.io/../b",
    "oci://a.io/b?x",
    "oci://user@a.io/b",
    "oci://a.io/b:v 1",
    "oci://a.io:99999999/b",
  ])("%s is none", (text) => {
    expect(parseImageReference(text)).toBeUndefined();
  });

  it.each([
    ["oci://0x7f.1:5000/a", "127.0.0.1:5000"],
    ["oci://2130706433:5000/a", "127.0.0.1:5000"],
    ["oci://[0:0::1]:5000/a", "[::1]:5000"],
    ["oci://A.IO:0443/a", "a.io"],
    ["oci://127.0.0.1:443/a", "127.0.0.1:443"],
    ["oci://a.io:05000/a", "a.io:5000"],
  ])("have one name for a registry, however %s writes it", (url, registry) =>
    expect(parseImageReference(url)).toMatchObject({ registry }),
  );
  it.each([
    "oci://127.0.0.1:99999/a:b",
    "oci://1.2.3.4.5/a",
    "oci://256.1.1.1/a",
    "oci://xn--a.io/b",
    "oci://a..b:c/d",
  ])("have no registry that no URL could have: %s", (url) => expect(parseImageReference(url)).toBeUndefined());

  it("are spoken to without TLS only on this machine, and where that was said", () => {
    expect(
      [
        "localhost:5000",
        "127.0.0.1:5000",
        "[::1]:5000",
        "10.0.0.1:5000",
        "r.internal:5000",
        "docker.io",
        "127.0.0.1.example.com",
      ].map((registry) => registryApi(registry, ["r.internal:5000"])),
    ).toEqual([
      "http://localhost:5000/v2",
      "http://127.0.0.1:5000/v2",
      "http://[::1]:5000/v2",
      "https://10.0.0.1:5000/v2",
      "http://r.internal:5000/v2",
      "https://registry-1.docker.io/v2",
      "https://127.0.0.1.example.com/v2",
    ]);
  });
});

describe("pull secrets", () => {
  const config = parseDockerConfig(
    JSON.stringify({
      auths: {
        "https://index.docker.io/v1/": { auth: Buffer.from("hub:hubpass").toString("base64") },
        "a.io": { username: "a", password: "p:with:colons" },
        "a.io/team": { auth: Buffer.from("team:p:q").toString("base64") },
        "*.b.io": { identitytoken: "refresh" },
        "http://c.io:5000/v2/": { registrytoken: "ready" },
      },
    }),
  );
  const who = (text: string) => {
    const reference = parseImageReference(text);
    return !isFailed(config) && reference !== undefined ? credentialFor(config, reference) : undefined;
  };
  it.each([
    ["library/x", { kind: "password", username: "hub", password: "hubpass" }],
    ["a.io/x", { kind: "password", username: "a", password: "p:with:colons" }],
    ["a.io/team/x", { kind: "password", username: "team", password: "p:q" }],
    ["a.io/teams/x", { kind: "password", username: "a", password: "p:with:colons" }],
    ["eu.b.io/x", { kind: "identity-token", token: "refresh" }],
    ["c.io:5000/x", { kind: "registry-token", token: "ready" }],
  ])("know who one is for %s", (text, credential) => expect(who(text)).toEqual(credential));
  it.each(["b.io/x", "x.eu.b.io/x", "c.io/x", "a.io.evil.com/x", "evila.io/x"])("give nothing to %s", (text) =>
    expect(who(text)).toBeUndefined(),
  );

  it("stand for their holder without telling anything", () => {
    const [one, other] = ["secret-one", "secret-two"].map((password) =>
      credentialFingerprint({ kind: "password", username: "u", password }),
    );
    expect(one).not.toBe(other);
    expect(one).not.toContain("secret");
  });

  it.each(["", "[]", "nonsense", '{"auths": 5}', '{"auths": {"a.io": {"auth": "%%%"}}}', '{"credsStore": "desktop"}'])(
    "give nothing and throw nothing for %j",
    (text) => {
      const parsed = parseDockerConfig(text);
      if (!isFailed(parsed)) expect(parsed.entries).toEqual([]);
    },
  );
});

describe("credentials that a program keeps", () => {
  const asked = (text: string, image: string) => {
    const [config, reference] = [parseDockerConfig(text), parseImageReference(image)];
    return !isFailed(config) && reference !== undefined ? helperFor(config, reference) : undefined;
  };
  const some =
    '{"credsStore": "desktop", "credHelpers": {"a.io": "ecr-login", "https://index.docker.io/v1/": "hub", ' +
    '"b.io": "../../bin/evil", "c.io": ""}}';
  it.each([
    ["a.io/x", { helper: "ecr-login", server: "a.io" }],
    ["library/x", { helper: "hub", server: "https://index.docker.io/v1/" }],
    ["d.io:5000/x", { helper: "desktop", server: "d.io:5000" }],
    ["b.io/x", { helper: "desktop", server: "b.io" }],
  ])("are asked for %s", (image, expected) => expect(asked(some, image)).toEqual(expected));
  it.each([
    "{}",
    '{"credsStore": "a/b"}',
    '{"credsStore": "-x"}',
    '{"credHelpers": 5}',
    '{"credHelpers": {"__proto__": "x"}}',
  ])("are not asked for by %s", (text) => expect(asked(text, "a.io/x")).toBeUndefined());
});

describe("challenges", () => {
  it.each([
    [
      'Bearer realm="https://auth.a.io/token",service="a.io",scope="repository:x:pull"',
      { kind: "bearer", realm: "https://auth.a.io/token", service: "a.io", scope: "repository:x:pull" },
    ],
    ['Basic realm="Registry Realm"', { kind: "basic" }],
    [
      'Basic realm="x", Bearer realm="https://t", service=plain',
      { kind: "bearer", realm: "https://t", service: "plain", scope: undefined },
    ],
    ['bearer realm="a\\"b"', { kind: "bearer", realm: 'a"b', service: undefined, scope: undefined }],
    ["Negotiate", undefined],
    ["Bearer", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%s", (header, challenge) => expect(parseChallenge(header)).toEqual(challenge));
  it("never hang or throw", () =>
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseChallenge(text))));
});

describe("indexes", () => {
  const entry = (os: string, architecture: string) => ({
    mediaType: "m",
    digest: `sha256:${hex}`,
    size: 1,
    annotations: {},
    os,
    architecture,
  });
  it.each([
    [
      [
        ["linux", "arm64"],
        ["wasip1", "wasm"],
        ["linux", "amd64"],
      ],
      "wasip1/wasm",
    ],
    [
      [
        ["linux", "arm64"],
        ["linux", "amd64"],
      ],
      "linux/amd64",
    ],
    [
      [
        ["unknown", "unknown"],
        ["linux", "arm64"],
      ],
      "linux/arm64",
    ],
    [[["", ""]], "/"],
  ])("%j leads to %s", (platforms, chosen) => {
    const found = chooseEntry({
      kind: "index",
      manifests: platforms.map(([os = "", architecture = ""]) => entry(os, architecture)),
    });
    expect(`${found?.os}/${found?.architecture}`).toBe(chosen);
  });
  it("of attestations alone lead nowhere", () =>
    expect(chooseEntry({ kind: "index", manifests: [entry("unknown", "unknown")] })).toBeUndefined());

  it.each([
    ["not JSON", "{"],
    ["another schema version", '{"schemaVersion":1}'],
    ["layers and manifests at once", '{"schemaVersion":2,"layers":[],"manifests":[]}'],
    [
      "a digest that is none",
      `{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:../../etc","size":1},"layers":[]}`,
    ],
    [
      "a negative size",
      `{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:${hex}","size":-1},"layers":[]}`,
    ],
  ])("and manifests with %s are refused", (_, text) => expect(parseManifest(Buffer.from(text)).kind).toBe("failed"));
  it("and manifests never throw", () =>
    fc.assert(fc.property(fc.json(), (text) => void parseManifest(Buffer.from(text)))));
});

describe("layers", () => {
  const module = Buffer.from("the module");
  const layer = (mediaType: string) => ({ mediaType, digest: `sha256:${hex}`, size: 1, annotations: {} });
  const manifest = (...types: string[]) => ({
    kind: "manifest" as const,
    config: layer("c"),
    annotations: {},
    layers: types.map(layer),
  });

  it.each([
    [["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"], "compat"],
    [["application/vnd.oci.image.layer.v1.tar+zstd"], "compat"],
    [["text/plain", "application/vnd.module.wasm.content.layer.v1+wasm"], "artifact"],
    [["application/vnd.wasm.content.layer.v1+wasm"], "artifact"],
    [["application/wasm"], "cncf"],
  ])("%j are %s", (types, layout) =>
    expect(moduleLayer(manifest(...types))).toMatchObject({ layout, layer: expect.anything() }),
  );
  it.each([[[]], [["text/plain"]], [["application/wasm", "application/wasm"]]])(
    "%j hold no module that is meant",
    (types) => expect(isFailed(moduleLayer(manifest(...types)))).toBe(true),
  );

  it("give the module back, packed or not", async () => {
    for (const blob of [gzipSync(tarOfFile("plugin.wasm", module)), tarOfFile("./plugin.wasm", module)]) {
      const found = await moduleOfLayer("compat", blob, 1_000);
      expect(!isFailed(found) && Buffer.from(found).toString()).toBe("the module");
    }
  });

  it("give it back out of zstd where Node has it, and say so where it has not", async () => {
    // What `zstd` makes of an archive of the module.
    const packed = Buffer.from(
      "KLUv/WQABzUCAKIDDBCg7bC+R18/VNW/c5NyVT9TRoye1wBS07+jmZL6wETs977F" +
        "/vcY5f/dpKnBrUQZDAcgcB/y/X6OOmDyhEsEhlOTSwL1uK2g",
      "base64",
    );
    // Beside the module an archive may have 64 KiB: with a limit below zero that is less than the archive.
    const [found, short, bomb] = await Promise.all([
      moduleOfLayer("compat", packed, 1_000),
      moduleOfLayer("compat", packed.subarray(0, 60), 1_000),
      moduleOfLayer("compat", packed, -32_000),
    ]);
    if ("zstdDecompress" in zlib) {
      expect(!isFailed(found) && Buffer.from(found).toString()).toBe("the module");
      expect([short, bomb]).toMatchObject([
        { message: expect.stringContaining("does not unpack") as string },
        { message: expect.stringContaining("unpacks to more than") as string },
      ]);
    } else
      expect(found).toMatchObject({
        kind: "failed",
        message: expect.stringContaining("packed with zstd, which Node") as string,
      });
  });

  it.each([
    ["a bomb", gzipSync(Buffer.alloc(50_000_000)), "unpacks to more than"],
    ["a bomb in a tar", gzipSync(tarOfFile("plugin.wasm", Buffer.alloc(1_500))), "larger than 1000 bytes"],
    ["half a gzip", gzipSync(tarOfFile("plugin.wasm", module)).subarray(0, 40), "does not unpack"],
    ["no tar", gzipSync(Buffer.from("x".repeat(600))), "is no tar archive"],
    ["half a tar", tarOfFile("plugin.wasm", Buffer.alloc(900)).slice(0, 1_000), "ends too soon"],
    ["another file", tarOfFile("other.wasm", module), "holds no plugin.wasm"],
    ["a file somewhere else", tarOfFile("../plugin.wasm", module), "holds no plugin.wasm"],
    ["a file in a folder", tarOfFile("a/plugin.wasm", module), "holds no plugin.wasm"],
  ])("refuse %s", async (_, blob, reason) => {
    expect(await moduleOfLayer("compat", blob, 1_000)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(reason),
    });
  });

  it("are found behind pax records and long names, and not under names they give to others", () => {
    const record = (type: string, content: string) => {
      const entry = Buffer.from(tarOfFile("x", Buffer.from(content))).subarray(0, -1_024);
      entry.write(type, 156);
      const sum = entry
        .subarray(0, 512)
        .reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
      entry.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
      return entry;
    };
    const found = (first: Buffer, name: string) => {
      const file = findInTar(Buffer.concat([first, tarOfFile(name, module)]), "plugin.wasm");
      return file !== undefined && !isFailed(file);
    };
    expect(found(record("x", "20 path=plugin.wasm\n"), "short")).toBe(true);
    expect(found(record("L", "plugin.wasm\0"), "short")).toBe(true);
    expect(found(record("g", "20 path=plugin.wasm\n"), "short")).toBe(false);
    expect(found(record("x", "19 path=other.wasm\n"), "plugin.wasm")).toBe(false);
    expect(found(record("2", ""), "plugin.wasm")).toBe(true);
  });

  it("never throw", () =>
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => void findInTar(bytes, "plugin.wasm"))));
});
