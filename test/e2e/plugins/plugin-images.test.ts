// Plugins from a real registry in a running mesh: by tag, with a pull secret, signed, bounded; with the registry away;
// across restarts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../../fakes/fake-registry.ts";
import { run, runScrim } from "../../support/command.ts";
import { type Load, startLoad } from "../../support/load.ts";
import { type Mesh, repository, request, startMesh } from "../../support/mesh.ts";
import { testServer } from "../../support/test-servers.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";
import { type Registry, startRegistry, USER } from "./registry.ts";

const registryBinary = testServer("registry");
const cosignBinary = testServer("cosign");
const ADD_HEADER = join(repository, "filters/build/examples/add-header.wasm");
const HTTP_AUTHZ = join(repository, "filters/build/examples/http-authz.wasm");

let folder: string;
let registry: Registry;
let mesh: Mesh;
let load: Load;

const credentials = ["--username", USER.username, "--password-stdin"];

/** Pushes a module and returns the image's digest. */
async function push(module: string, image: string, ...more: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runScrim(
    ["plugin", "push", module, `oci://${registry.host}/${image}`, "-o", "json", ...credentials, ...more],
    { input: USER.password },
  );
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { digest: string }).digest;
}

async function cosign(...args: readonly string[]): Promise<void> {
  const ended = await run(cosignBinary ?? "", args, { env: { COSIGN_PASSWORD: "", HOME: folder } });
  if (ended.code !== 0) throw new Error(ended.stderr);
}

const sign = (image: string) =>
  cosign(
    "sign",
    "--key",
    join(folder, "mesh.key"),
    "--tlog-upload=false",
    "-y",
    "--registry-username",
    USER.username,
    "--registry-password",
    USER.password,
    `${registry.host}/${image}`,
  );

function secret(): string {
  const config = JSON.stringify({ auths: { [registry.host]: USER } });
  return (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: pull, namespace: default}\n" +
    "type: kubernetes.io/dockerconfigjson\n" +
    `data: {.dockerconfigjson: ${Buffer.from(config).toString("base64")}}\n`
  );
}

interface PluginText {
  readonly image: string;
  readonly value?: string;
  readonly more?: string;
  readonly annotations?: string;
}

function plugin({ image, value = "v1", more = "", annotations = "" }: PluginText): string {
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: header, namespace: default, annotations: {${annotations}}}
spec: {selector: {matchLabels: {app: web}}, url: "oci://${registry.host}/${image}",
  imagePullSecret: pull, pluginConfig: {name: x-plugin, value: ${value}}${more}}
`;
}

function meshConfig(): string {
  const key = readFileSync(join(folder, "mesh.pub"), "utf8")
    .trim()
    .split("\n")
    .map((line) => `        ${line}`)
    .join("\n");
  return (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n" +
    `  mesh: |-\n    pluginTrust:\n    - match: ["oci://${registry.host}/signed/**"]\n      keys:\n` +
    `      - |-\n${key}\n`
  );
}

const header = async () => (await mesh.from("client", "http://web/")).headers["x-plugin"];
const shows = (value: string) =>
  eventually(`x-plugin: ${value}`, async () => ((await header()) === value ? true : undefined));

interface Violation {
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly severity: string;
  readonly servingLastGood: boolean;
}

async function violation(what: string, matches: (each: Violation) => boolean): Promise<Violation> {
  return eventually(what, async () => {
    const all = JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as Violation[];
    const found = all.find((each) => each.object === "WasmPlugin/default/header" && matches(each));
    if (found === undefined) throw new Error(JSON.stringify(all));
    return found;
  });
}

describe.runIf(registryBinary !== undefined && cosignBinary !== undefined)("plugins from a registry", () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "scrim-plugin-images-"));
    registry = await startRegistry(registryBinary ?? "", "token");
    await cosign("generate-key-pair", "--output-key-prefix", join(folder, "mesh"));
    await push(ADD_HEADER, "team/header:v1");
    const workloads = documents(
      service("web"),
      service("client"),
      echoDeployment({ name: "web-v1", app: "web" }),
      echoDeployment({ name: "client", app: "client" }),
    );
    mesh = await startMesh({
      files: {
        "workloads.yaml": workloads,
        "secret.yaml": secret(),
        "config.yaml": meshConfig(),
        "plugin.yaml": plugin({ image: "team/header:v1" }),
      },
    });
    load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound, clients: 2 });
  });
  afterAll(async () => {
    await load?.stop();
    await mesh?.stop();
    await registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("serve the mesh's requests", async () => {
    expect(await header()).toBe("v1");
  });

  it("come in the other layouts as well", async () => {
    for (const layout of ["compat", "cncf"]) {
      await push(ADD_HEADER, `team/header:${layout}`, "--layout", layout);
      mesh.write("plugin.yaml", plugin({ image: `team/header:${layout}`, value: layout }));
      await shows(layout);
    }
  });

  it("need the pull secret: without it the last good one stays, and somebody says why", async () => {
    mesh.write(
      "plugin.yaml",
      plugin({ image: "team/header:cncf", value: "open" }).replace("imagePullSecret: pull, ", ""),
    );
    const found = await violation("a refusal", ({ field }) => field === "spec.url");
    expect(found).toMatchObject({
      servingLastGood: true,
      message: expect.stringMatching(/gave no token|refuses access/),
    });
    expect(await header()).toBe("cncf");
  });

  it("need the mesh's signature where it asks for one, and have it as soon as somebody signs", async () => {
    const digest = await push(ADD_HEADER, "signed/header:v1");
    mesh.write("plugin.yaml", plugin({ image: "signed/header:v1", value: "signed" }));
    const found = await violation("a refusal", ({ message }) => message.includes("must be signed"));
    expect(found).toMatchObject({ servingLastGood: true, message: expect.stringContaining(digest) });
    expect(await header()).toBe("cncf");
    await sign(`signed/header@${digest}`);
    await shows("signed");
  });

  it("may use what they declare: what else they call is refused in the proxy", async () => {
    writeFileSync(join(folder, "less.json"), '{"capabilities": ["headers-read"]}');
    writeFileSync(join(folder, "enough.json"), '{"capabilities": ["headers-write"]}');
    await push(ADD_HEADER, "team/header:less", "--manifest", join(folder, "less.json"));
    await push(ADD_HEADER, "team/header:enough", "--manifest", join(folder, "enough.json"));
    mesh.write("plugin.yaml", plugin({ image: "team/header:enough", value: "enough" }));
    await shows("enough");
    mesh.write("plugin.yaml", plugin({ image: "team/header:less", value: "less" }));
    await eventually("no header", async () => ((await header()) === undefined ? true : undefined));
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
  });

  it("get no configuration that their manifest's schema does not know", async () => {
    writeFileSync(
      join(folder, "schema.json"),
      '{"configSchema": {"properties": {"value": {"enum": ["high", "low"]}}}}',
    );
    await push(ADD_HEADER, "team/header:schema", "--manifest", join(folder, "schema.json"));
    mesh.write("plugin.yaml", plugin({ image: "team/header:schema", value: "high" }));
    await shows("high");
    mesh.write("plugin.yaml", plugin({ image: "team/header:schema", value: "hihg" }));
    const found = await violation("a refusal", ({ field }) => field === "spec.pluginConfig.value");
    expect(found).toMatchObject({
      servingLastGood: true,
      message: 'must be one of ["high","low"], as its module\'s manifest says by configSchema',
    });
    expect(await header()).toBe("high");
  });

  it("say what they want more than before, and are held back where that was not granted", async () => {
    mesh.write(
      "plugin.yaml",
      plugin({ image: "team/header:enough", value: "again", annotations: '"scrim.mesh/capabilities": "headers"' }),
    );
    await shows("again");
    await push(HTTP_AUTHZ, "team/authz:v1");
    mesh.write("plugin.yaml", plugin({ image: "team/authz:v1", annotations: '"scrim.mesh/capabilities": "headers"' }));
    const found = await violation(
      "a refusal",
      ({ severity, message }) => severity === "error" && message.includes("wants"),
    );
    expect(found).toMatchObject({ servingLastGood: true, message: expect.stringContaining("http-calls") });
    expect(await header()).toBe("again");
  });

  it.each([
    [
      "another layer than promised",
      (request, response) => (request.url?.includes("/blobs/") ? void response.end("other") : false),
      /layer.*(bytes, not|digest is)/,
    ],
    [
      "half a layer",
      (request, response) =>
        request.url?.includes("/blobs/")
          ? void response.writeHead(200, { "content-length": "100" }).end("half", () => response.destroy())
          : false,
      /http:\/\/127/,
    ],
    ["a bomb", () => false, /unpacks to more than/],
    [
      "a redirect to where clouds keep credentials",
      (request, response) =>
        request.url?.includes("/blobs/")
          ? void response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data" }).end()
          : false,
      /metadata service/,
    ],
  ] as readonly (readonly [string, Parameters<FakeRegistry["answer"]>[0], RegExp])[])(
    "that give %s change nothing",
    async (_, answer, reason) => {
      const liar = await startFakeRegistry();
      try {
        const layer = liar.putBlob(
          "team/x",
          "application/vnd.oci.image.layer.v1.tar+gzip",
          gzipSync(Buffer.alloc(200_000_000)),
        );
        const config = liar.putBlob("team/x", "application/vnd.oci.image.config.v1+json", Buffer.from("{}"));
        liar.putManifest("team/x", "v1", { schemaVersion: 2, config, layers: [layer] });
        liar.answer(answer);
        mesh.write(
          "plugin.yaml",
          plugin({ image: "team/x:v1", value: "lie" })
            .replace(`oci://${registry.host}`, `oci://${liar.host}`)
            .replace("imagePullSecret: pull, ", ""),
        );
        expect(await violation("a refusal", ({ message }) => reason.test(message))).toMatchObject({
          servingLastGood: true,
        });
        expect(await header()).toBe("again");
      } finally {
        liar.close();
      }
    },
  );

  it("follow their tag when they are told to poll, and stay when the registry goes away", async () => {
    const text = (value: string) =>
      plugin({ image: "team/moving:v1", value, annotations: '"scrim.mesh/poll-interval": 1s' });
    await push(ADD_HEADER, "team/moving:v1");
    mesh.write("plugin.yaml", text("moving"));
    await shows("moving");
    writeFileSync(join(folder, "none.json"), '{"capabilities": ["metrics"]}');
    await push(ADD_HEADER, "team/moving:v1", "--manifest", join(folder, "none.json"));
    await eventually("the tag's new image", async () => ((await header()) === undefined ? true : undefined));
    await registry.stop();
    const found = await violation("the registry's absence", ({ message }) =>
      message.includes("what was fetched before is used"),
    );
    expect(found.servingLastGood).toBe(true);
    mesh.write("plugin.yaml", plugin({ image: "team/header:enough", value: "cached" }));
    await shows("cached");
  });

  it("are there after the control plane's death without their registry, and no request failed in all", async () => {
    await mesh.killControlPlane();
    await eventually("another control plane", mesh.controlPlanePid);
    await mesh.synced();
    expect(await header()).toBe("cached");
    mesh.write("plugin.yaml", plugin({ image: "team/header:enough", value: "kept" }));
    await shows("kept");
    const { sent, failed } = await load.stop();
    expect(sent).toBeGreaterThan(0);
    expect(failed).toEqual([]);
  });
});
