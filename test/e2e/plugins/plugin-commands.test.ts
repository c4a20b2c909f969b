// `scrim plugin` against real registries, beside cosign.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, runScrim } from "../../support/command.ts";
import { repository, request, scrim } from "../../support/mesh.ts";
import { testServer } from "../../support/test-servers.ts";
import { eventually } from "../../support/until.ts";
import { type Registry, startRegistry } from "./registry.ts";

const registryBinary = testServer("registry");
const cosignBinary = testServer("cosign");
const MODULE = join(repository, "filters/build/examples/add-header.wasm");
const OTHER = join(repository, "filters/build/examples/http-authz.wasm");

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "scrim-plugin-commands-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** Runs cosign, with keys that have no password. */
const cosign = (...args: readonly string[]) =>
  run(cosignBinary ?? "", args, { env: { COSIGN_PASSWORD: "", HOME: folder } });

/** What `inspect` says of an image's signatures. */
async function signaturesOf(image: string, key: string): Promise<unknown> {
  const { stdout } = await runScrim(["plugin", "inspect", `oci://${image}`, "--key", key, "-o", "json"]);
  return (JSON.parse(stdout) as { signatures: unknown }).signatures;
}

/** Pushes the module and returns the image's digest. */
async function pushed(image: string): Promise<string> {
  return (
    JSON.parse((await runScrim(["plugin", "push", MODULE, `oci://${image}`, "-o", "json"])).stdout) as {
      digest: string;
    }
  ).digest;
}

describe.runIf(registryBinary)("an open registry", () => {
  let registry: Registry;
  beforeAll(async () => void (registry = await startRegistry(registryBinary ?? "")));
  afterAll(() => registry?.close());

  it.each(["compat", "artifact", "cncf"])("gives back what was pushed, as %s", async (layout) => {
    const image = `oci://${registry.host}/team/${layout}:v1`;
    const pushed = await runScrim(["plugin", "push", MODULE, image, "--layout", layout, "-o", "json"]);
    const { digest, byDigest } = JSON.parse(pushed.stdout) as { digest: string; byDigest: string };
    const again = await runScrim(["plugin", "push", MODULE, image, "--layout", layout]);
    expect(again.stdout).toContain(digest); // the same module is the same image
    for (const name of [image, byDigest]) {
      const target = join(folder, "pulled.wasm");
      expect((await runScrim(["plugin", "pull", name, "-f", target])).stdout).toContain(digest);
      expect(readFileSync(target).equals(readFileSync(MODULE))).toBe(true);
    }
  });

  it("shows what is in an image, and what it wants that another does not", async () => {
    const manifest = file(
      "manifest.json",
      JSON.stringify({
        name: "authz",
        version: "2.0.0",
        capabilities: ["headers", "http-calls", "local-reply"],
        configSchema: { properties: { cluster: {} } },
      }),
    );
    await runScrim(["plugin", "push", MODULE, `oci://${registry.host}/team/look:v1`]);
    await runScrim(["plugin", "push", OTHER, `oci://${registry.host}/team/look:v2`, "--manifest", manifest]);
    const { stdout } = await runScrim([
      "plugin",
      "inspect",
      `oci://${registry.host}/team/look:v2`,
      "--against",
      `oci://${registry.host}/team/look:v1`,
      "-o",
      "json",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      abiVersion: "0.2.1",
      sdk: "AssemblyScript",
      manifest: { name: "authz", version: "2.0.0", configSchema: { properties: { cluster: {} } } },
      image: { layout: "artifact" },
      imports: expect.arrayContaining(["env.proxy_http_call"]),
      callbacks: expect.arrayContaining(["proxy_on_request_headers"]),
      otherExports: expect.arrayContaining(["malloc", "memory"]),
      capabilities: { declared: true, wants: ["headers-read", "headers-write", "http-calls", "local-reply"] },
      signatures: { found: 0, byKey: null },
      against: { wantsMore: ["headers-read", "http-calls", "local-reply"], wantsLess: [] },
    });
  });

  it("warns of calls that a manifest does not declare", async () => {
    const manifest = file("little.json", '{"capabilities": ["metrics"]}');
    const pushed = await runScrim([
      "plugin",
      "push",
      MODULE,
      `oci://${registry.host}/team/little:v1`,
      "--manifest",
      manifest,
    ]);
    expect(pushed).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        "the module imports functions of headers-write that its manifest does not declare",
      ),
    });
  });

  it("says in a sentence what went wrong", async () => {
    const gone = `oci://${registry.host}/team/gone:v1`;
    const schema = file("schema.json", '{"configSchema":{"properties":{"name":{"minLength":3}}}}');
    await runScrim(["plugin", "push", MODULE, `oci://${registry.host}/team/schema:v1`, "--manifest", schema]);
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [
        ["run", `oci://${registry.host}/team/schema:v1`, "--config", '{"name":"x"}'],
        1,
        "--config.name must not have fewer than 3 characters",
      ],
      [
        ["push", MODULE, gone, "--manifest", file("remote.json", '{"configSchema":{"$ref":"https://example.com/x"}}')],
        1,
        "has a configSchema that cannot be applied",
      ],
      [["pull", gone], 1, "has no such image"],
      [["pull", "oci://127.0.0.1:1/a:b"], 1, "ECONNREFUSED"],
      [["pull", "oci://A B"], 2, "names no image"],
      [["inspect", join(folder, "none.wasm")], 1, "there is no such file"],
      [["push", join(folder, "none.wasm"), gone], 1, "there is no such file"],
      [["push", folder, gone], 1, "this is no regular file"],
      [["pull", file("page.html", "<html>")], 1, "is no WebAssembly module"],
      [["pull", MODULE, "-f", folder], 1, "it is a folder"],
      [["pull", "ftp://a.io/x"], 2, "cannot be fetched: write oci://"],
      [["push", file("empty.wasm", "\0asm\x01\0\0\0"), gone], 1, "is no plugin"],
      [["pull", "oci://127.0.0.1:99999/a:b"], 2, "names no image"],
      [["run", MODULE, "--config", "@none"], 1, "there is no such file or folder"],
      [["run", MODULE, "--port", registry.host.split(":")[1] ?? ""], 1, "name another, or 0 for any free one"],
      [["push", file("text.wasm", "text"), gone], 1, "is no WebAssembly module"],
      [["push", MODULE, `${gone}@sha256:${"0".repeat(64)}`], 2, "names a digest"],
      [["push", MODULE, gone, "--manifest", file("bad.json", '{"capabilities":["all"]}')], 1, '"all" is no capability'],
      [["push", MODULE, gone, "--username", "me"], 2, "--password-stdin"],
      [["pull", gone, "--password-stdin"], 2, "needs --username"],
      [["pull", gone, "--username", "me", "--password-stdin"], 1, "No password came"],
      [["run", MODULE, "--config", '{"unknown":1}'], 1, "unknown field"],
      [["pull", `${registry.host}/team/x:v1`], 1, `an image is written oci://${registry.host}/team/x:v1`],
      [["run", MODULE, "--port", "many"], 2, "is no port"],
      [["run", MODULE, "--upstream", "nowhere"], 2, "is no address"],
    ];
    await Promise.all(
      cases.map(async ([args, code, message]) => {
        const ended = await runScrim(["plugin", ...args]);
        expect([ended.code, ended.stderr.split("\n").length]).toEqual([code, 2]);
        expect(ended.stderr).toContain(message);
      }),
    );
    expect(readdirSync(join(folder, "..")).filter((name) => name.startsWith(basename(folder)))).toEqual([
      basename(folder),
    ]); // nothing half-written beside what could not be
  });

  it("gives a module to an Envoy of one's own, which ends cleanly", async () => {
    const image = `oci://${registry.host}/team/run:v1`;
    await runScrim(["plugin", "push", MODULE, image]);
    const child = spawn(process.execPath, [
      scrim,
      "plugin",
      "run",
      image,
      "--config",
      '{"name": "x-hello", "value": "world"}',
    ]);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const address = await eventually("the address", () => /^(http:\/\/127\.0\.0\.1:\d+) → an echo/m.exec(output)?.[1]);
    const answer = await request(`${address}/path`, { method: "POST", body: "hello" });
    expect([answer.status, answer.headers["x-hello"], JSON.parse(answer.body)]).toEqual([
      200,
      "world",
      expect.objectContaining({ method: "POST", path: "/path", body: "hello" }),
    ]);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    await expect(request(address)).rejects.toThrow();
  });

  it("gives it connections where it serves those", async () => {
    const child = spawn(process.execPath, [
      scrim,
      "plugin",
      "run",
      join(repository, "filters/build/examples/preface-gate.wasm"),
      "--config",
      '{"preface": "POST /"}',
    ]);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const address = await eventually("the address", () => /^(http:\/\/127\.0\.0\.1:\d+) → an echo/m.exec(output)?.[1]);
    expect((await request(address, { method: "POST", body: "hello", headers: { connection: "close" } })).status).toBe(
      200,
    );
    await expect(request(address)).rejects.toThrow();
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  it.runIf(cosignBinary)("holds images and signatures of other tools", async () => {
    const key = join(folder, "cosign");
    await cosign("generate-key-pair", "--output-key-prefix", key);
    await cosign("generate-key-pair", "--output-key-prefix", `${key}-other`);
    await cosign("upload", "wasm", "-f", MODULE, `${registry.host}/team/theirs:v1`);
    const pulled = await runScrim([
      "plugin",
      "pull",
      `oci://${registry.host}/team/theirs:v1`,
      "-f",
      join(folder, "theirs.wasm"),
    ]);
    expect(pulled.code).toBe(0);
    expect(readFileSync(join(folder, "theirs.wasm")).equals(readFileSync(MODULE))).toBe(true);

    for (const [name, form] of [
      ["team/tagged", []],
      ["team/bundled", ["--new-bundle-format"]],
    ] as const) {
      const image = `${registry.host}/${name}:v1`;
      const digest = await pushed(image);
      expect(await signaturesOf(image, `${key}.pub`)).toEqual({ found: 0, byKey: false });
      const signed = await cosign(
        "sign",
        "--key",
        `${key}.key`,
        "--tlog-upload=false",
        ...form,
        "-y",
        `${registry.host}/${name}@${digest}`,
      );
      expect(signed.stderr).not.toContain("Error");
      expect(await signaturesOf(image, `${key}.pub`)).toEqual({ found: 1, byKey: true });
      expect(await signaturesOf(image, `${key}-other.pub`)).toEqual({ found: 1, byKey: false });
    }
    // What we push is an image to them.
    expect(
      await cosign("verify", "--key", `${key}.pub`, "--insecure-ignore-tlog", `${registry.host}/team/tagged:v1`),
    ).toMatchObject({ code: 0 });
    expect(
      await runScrim(["plugin", "inspect", `oci://${registry.host}/team/tagged:v1`, "--key", `${key}-other.pub`]),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining("carries no signature by a key of") });
    const blob = join(folder, "blob.wasm");
    writeFileSync(blob, readFileSync(MODULE));
    await cosign(
      "sign-blob",
      "--key",
      `${key}.key`,
      "--tlog-upload=false",
      "-y",
      "--output-signature",
      `${blob}.sig`,
      blob,
    );
    const { stdout } = await runScrim(["plugin", "inspect", blob, "--key", `${key}.pub`]);
    expect(stdout).toContain("1, one by the key given");
  });

  it.runIf(cosignBinary).each(["rsa", "ed25519"])("holds what cosign signs with %s keys", async (kind) => {
    const pair = kind === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2_048 }) : generateKeyPairSync("ed25519");
    const own = join(folder, `own-${kind}`);
    writeFileSync(`${own}.pem`, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    await cosign("import-key-pair", "--key", `${own}.pem`, "--output-key-prefix", own, "-y");
    for (const form of [[], ["--new-bundle-format"]]) {
      const image = `${registry.host}/team/${kind}${form.join("")}`;
      const digest = await pushed(`${image}:v1`);
      await cosign("sign", "--key", `${own}.key`, "--tlog-upload=false", ...form, "-y", `${image}@${digest}`);
      expect(await signaturesOf(`${image}:v1`, `${own}.pub`)).toEqual({ found: 1, byKey: true });
    }
  });
});
