import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failed, isFailed } from "../../model/failure.ts";
import { fileOrigin } from "../../model/origin.ts";
import { wasmModule } from "../../../test/fakes/wasm-module.ts";
import type { MeshObject } from "../../model/object.ts";
import { addressMatches } from "../../model/plugin-trust.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import type { AcquiredModule } from "../acquired-module.ts";
import { digestOf } from "../module-cache.ts";
import { describeModule } from "../module/describe-module.ts";
import { type ModuleTrust, trustOf } from "./module-trust.ts";
import type { Signature } from "./signature.ts";
import { verifyModule, withVerified } from "./verify-module.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const pairs = {
  "ECDSA P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "ECDSA P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  Ed25519: generateKeyPairSync("ed25519"),
  RSA: generateKeyPairSync("rsa", { modulusLength: 2_048 }),
};
type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
const pem = ({ publicKey }: Pair) => publicKey.export({ type: "spki", format: "pem" }).toString();
const signed = (bytes: Buffer, { privateKey }: Pair) =>
  sign(privateKey.asymmetricKeyType === "ed25519" ? null : "sha256", bytes, privateKey).toString("base64");

/** As cosign writes it. */
function simple(pair: Pair, digest = DIGEST, type = "cosign container image signature"): Signature {
  const payload = Buffer.from(
    JSON.stringify({
      critical: { identity: { "docker-reference": "r" }, image: { "docker-manifest-digest": digest }, type },
      optional: null,
    }),
  );
  return { form: "simple", payload: payload.toString("base64"), signature: signed(payload, pair) };
}

function envelope(pair: Pair, digest = DIGEST, predicateType = "https://sigstore.dev/cosign/sign/v1"): Signature {
  const payload = Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: digest.slice(7) } }],
      predicateType,
    }),
  );
  const payloadType = "application/vnd.in-toto+json";
  const message = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ]);
  return { form: "envelope", payload: payload.toString("base64"), payloadType, signature: signed(message, pair) };
}

function acquired(
  bytes: Uint8Array,
  signatures: readonly Signature[],
  annotations: Readonly<Record<string, string>> | undefined = {},
): AcquiredModule {
  const image = { digest: DIGEST, manifestDigest: DIGEST, layout: "artifact" as const, annotations };
  return {
    module: { bytes, sha256: digestOf(bytes) },
    image,
    signatures: { known: [], fetch: async () => signatures },
  };
}

const demand = (...pems: readonly string[]): ModuleTrust => ({
  demands: [{ by: "spec.verificationKey", keys: pems }],
  grants: [],
});
const plain = wasmModule([]);
const verified = { wants: expect.any(Array) as string[] };

describe("signatures", () => {
  it.each(Object.entries(pairs))("by %s hold, in both of cosign's forms", async (_, pair) => {
    for (const signature of [simple(pair), envelope(pair)])
      expect(await verifyModule(acquired(plain, [signature]), demand(pem(pair)))).toMatchObject(verified);
  });

  it.each([
    ["of another key", simple(pairs.Ed25519)],
    ["of another image", simple(pairs["ECDSA P-256"], `sha256:${"cd".repeat(32)}`)],
    ["of something that is no image", simple(pairs["ECDSA P-256"], DIGEST, "something else")],
    ["that attests something else", envelope(pairs["ECDSA P-256"], DIGEST, "https://slsa.dev/provenance/v1")],
    ["with a broken payload", { ...simple(pairs["ECDSA P-256"]), payload: Buffer.from("{}").toString("base64") }],
    ["in another form", { form: "detached", signature: signed(Buffer.from(plain), pairs["ECDSA P-256"]) }],
    ["that is none", { form: "simple", payload: "", signature: "!" }],
  ] as readonly (readonly [string, Signature])[])("%s do not", async (_, signature) => {
    expect(await verifyModule(acquired(plain, [signature]), demand(pem(pairs["ECDSA P-256"])))).toMatchObject({
      kind: "failed",
      field: "spec.verificationKey",
      message: expect.stringContaining("must be signed by a key of spec.verificationKey, and none of its 1 is"),
    });
  });

  it("are demanded by each rule, of one of its keys", async () => {
    const [a, b, c] = [pairs["ECDSA P-256"], pairs.Ed25519, pairs.RSA];
    const trust: ModuleTrust = {
      demands: [
        { by: "one", keys: [pem(a), pem(b)] },
        { by: "other", keys: [pem(c)] },
      ],
      grants: [],
    };
    expect(await verifyModule(acquired(plain, [simple(b), simple(c)]), trust)).toMatchObject(verified);
    expect(await verifyModule(acquired(plain, [simple(b)]), trust)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("a key of other"),
    });
    expect(await verifyModule(acquired(plain, []), trust)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("it has none"),
    });
  });

  it("that cannot be had are missing ones, and say why", async () => {
    const module: AcquiredModule = {
      ...acquired(plain, []),
      signatures: { known: [], fetch: async () => failed("network", "the registry is down") },
    };
    expect(await verifyModule(module, demand(pem(pairs.RSA)))).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("the registry is down"),
    });
    const kept: AcquiredModule = { ...module, signatures: { ...module.signatures, known: [simple(pairs.RSA)] } };
    expect(await verifyModule(kept, demand(pem(pairs.RSA)))).toMatchObject(verified);
  });

  it("over a module that is no image are over its bytes", async () => {
    const pair = pairs["ECDSA P-256"];
    const module = (signature: string): AcquiredModule => ({
      module: { bytes: plain, sha256: digestOf(plain) },
      signatures: { known: [], fetch: async () => [{ form: "detached", signature }] },
    });
    expect(await verifyModule(module(signed(Buffer.from(plain), pair)), demand(pem(pair)))).toMatchObject(verified);
    expect(await verifyModule(module(signed(Buffer.from("other"), pair)), demand(pem(pair)))).toMatchObject({
      kind: "failed",
    });
  });
});

describe("public keys", () => {
  it("are read from PEM, several at once", () =>
    expect(parsePublicKeys(`${pem(pairs.RSA)}\n${pem(pairs.Ed25519)}`)).toMatchObject({
      kind: "keys",
      keys: [expect.anything(), expect.anything()],
    }));
  it.each([
    ["nothing", ""],
    ["a private key", pairs.Ed25519.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["text beside keys", `${pem(pairs.RSA)} and more`],
    [
      "a short RSA key",
      generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ type: "spki", format: "pem" }).toString(),
    ],
    [
      "another curve",
      createPublicKey(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey)
        .export({ type: "spki", format: "pem" })
        .toString(),
    ],
  ])("are not %s", (_, text) => expect(parsePublicKeys(text).kind).toBe("failed"));
});

describe("what a module may use", () => {
  const caller = wasmModule(
    ["env.proxy_http_call", "env.proxy_log", "env.proxy_get_header_map_value", "wasi_snapshot_preview1.fd_write"],
    ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_http_call_response"],
  );
  const manifest = (value: unknown) => ({ "mesh.scrim.plugin.manifest": JSON.stringify(value) });
  const none: ModuleTrust = { demands: [], grants: [] };
  const granting = (...capabilities: readonly string[]): ModuleTrust => ({
    demands: [],
    grants: [{ by: "rule", capabilities }],
  });

  it("is everything it imports when nobody says anything", async () => {
    expect(await verifyModule(acquired(caller, []), none)).toEqual({
      capabilities: undefined,
      wants: ["headers-read", "http-calls"],
    });
  });

  it("is what its manifest declares, in the image or in the module, and what every module needs", async () => {
    const declared = { capabilities: ["headers-read"] };
    const expected = {
      wants: ["headers-read"],
      capabilities: ["fd_write", "proxy_get_header_map_value", "proxy_log", "proxy_on_request_headers"],
    };
    expect(await verifyModule(acquired(caller, [], manifest(declared)), none)).toEqual(expected);
    const own = wasmModule(
      ["env.proxy_http_call", "env.proxy_log", "env.proxy_get_header_map_value", "wasi_snapshot_preview1.fd_write"],
      ["proxy_on_request_headers"],
      { "scrim.manifest": JSON.stringify(declared) },
    );
    expect(await verifyModule(acquired(own, []), none)).toEqual(expected);
  });

  it("is to hold headers alone where its manifest says so, and its WasmPlugin does not say otherwise", async () => {
    const found = await verifyModule(acquired(caller, [], manifest({ allowOnHeadersStopIteration: true })), none);
    if (isFailed(found)) return expect.fail(found.message);
    const settings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };
    expect(withVerified(settings, found).allowOnHeadersStopIteration).toBe(true);
    const refused = { ...settings, allowOnHeadersStopIteration: false };
    expect(withVerified(refused, found).allowOnHeadersStopIteration).toBe(false);
  });

  it("gives callbacks with the groups they belong to", async () => {
    const all = await verifyModule(
      acquired(caller, [], manifest({ capabilities: ["headers", "http-calls", "body"] })),
      none,
    );
    expect(!isFailed(all) && all.capabilities?.filter((name) => name.startsWith("proxy_on_"))).toEqual([
      "proxy_on_http_call_response",
      "proxy_on_request_body",
      "proxy_on_request_headers",
    ]);
  });

  it("is at most what is granted: a module that wants more is refused by name", async () => {
    expect(await verifyModule(acquired(caller, []), granting("headers"))).toMatchObject({
      kind: "failed",
      message: "the module wants http-calls, which the rule does not grant",
    });
    expect(
      await verifyModule(acquired(caller, [], manifest({ capabilities: ["headers-read"] })), granting("headers")),
    ).toMatchObject(verified);
    expect(await verifyModule(acquired(caller, []), granting("headers", "proxy_http_call"))).toMatchObject({
      capabilities: expect.arrayContaining(["proxy_http_call"]),
    });
  });

  it.each([
    ["{", "is not JSON"],
    ['{"capabilities":["everything"]}', '"everything" is no capability'],
    ['{"capabilities":"headers"}', "no list of names"],
    ["[]", "no JSON object"],
    ['{"version":1}', "a version that is no text"],
    ['{"allowOnHeadersStopIteration":"yes"}', "neither true nor false"],
  ])("is nothing under the manifest %s", async (text, reason) => {
    expect(await verifyModule(acquired(caller, [], { "mesh.scrim.plugin.manifest": text }), none)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(reason),
    });
  });
});

describe("trust", () => {
  const plugin = (annotations: Readonly<Record<string, string>> = {}, spec: object = {}) =>
    ({
      kind: "WasmPlugin",
      apiVersion: "extensions.istio.io/v1alpha1",
      metadata: { name: "p", namespace: "default", labels: {}, annotations },
      spec: { url: "oci://a.io/team/x:v1", ...spec },
      origin: fileOrigin("f"),
    }) as MeshObject<"WasmPlugin">;
  const rules = [
    { match: ["oci://a.io/team/*"], keys: ["K"] },
    { match: ["oci://b.io/**"], keys: ["L"] },
    { capabilities: ["headers"] },
  ];

  it("comes from every rule that matches, and from the plugin itself", () => {
    expect(
      trustOf(
        plugin({ "scrim.mesh/capabilities": "headers, http-calls" }, { verificationKey: "M" }),
        "oci://a.io/team/x",
        rules,
      ),
    ).toEqual({
      demands: [
        { by: "spec.verificationKey", keys: ["M"] },
        { by: "pluginTrust[0] of MeshConfig", keys: ["K"] },
      ],
      grants: [
        { by: "annotation scrim.mesh/capabilities", capabilities: ["headers", "http-calls"] },
        { by: "pluginTrust[2] of MeshConfig", capabilities: ["headers"] },
      ],
    });
  });
  it("is nothing where the plugin's own words are not understood", async () => {
    const trust = trustOf(plugin({ "scrim.mesh/capabilities": "everything" }), "oci://a.io/x", []);
    expect(await verifyModule(acquired(plain, []), trust)).toMatchObject({
      kind: "failed",
      field: 'metadata.annotations["scrim.mesh/capabilities"]',
    });
  });

  it.each([
    ["oci://a.io/*", "oci://a.io/x", true],
    ["oci://a.io/*", "oci://a.io/x/y", false],
    ["oci://a.io/**", "oci://a.io/x/y", true],
    ["**", "https://x/y", true],
    ["oci://a.io/x", "oci://a.io/xy", false],
    ["oci://a.io/*/y", "oci://a.io/x/y", true],
    ["oci://*.a.io/x", "oci://b.a.io/x", true],
    ["oci://a.io/x", "oci://a.io.evil.com/x", false],
  ])("pattern %s and %s: %s", (pattern, address, matches) => expect(addressMatches(pattern, address)).toBe(matches));
});

describe("modules that are not run", () => {
  it("are read without throwing, whatever their bytes", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        void describeModule(bytes);
        void describeModule(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...bytes]));
      }),
    ));
  it("do not run under a bound when what they want cannot be read", async () => {
    const cut = acquired(plain.subarray(0, plain.length - 1), []);
    expect(await verifyModule(cut, { demands: [], grants: [{ by: "rule", capabilities: ["headers"] }] })).toMatchObject(
      {
        kind: "failed",
        message: "the module's wants cannot be known: it is a WebAssembly module that ends too soon or is malformed",
      },
    );
    expect(await verifyModule(cut, { demands: [], grants: [] })).toMatchObject(verified);
  });
  it("and end too soon are said to", () =>
    expect(describeModule(plain.subarray(0, plain.length - 1))).toMatchObject({ kind: "failed" }));
});
