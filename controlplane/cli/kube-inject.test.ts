import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { injectDocument } from "../injector/documents.ts";
import { injectionValues } from "../injector/values.ts";
import { readEnvironment } from "../settings/environment.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { loadText } from "../store/load.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { createProgram } from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "scrim-inject-"));
afterAll(() => rmSync(directory, { recursive: true }));

const service = "apiVersion: v1\nkind: Service # stays as it is\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
`;

function fileOf(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

async function run(...args: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
  let [out, err] = ["", ""];
  const program = createProgram({
    environment: readEnvironment({}),
    installation: { launcher: "", filtersDir: "", pluginCheckScript: "", yamlThreadScript: "" },
    terminal: { out: (text) => void (out += text), err: (text) => void (err += text) },
    clock: createSystemClock(),
  });
  await program.parseAsync(args, { from: "user" }).catch((error: Error) => {
    throw new Error(`${error.message}\n${err}`);
  });
  return { out, err };
}

describe.each(["inject", "kube-inject"])("scrim %s", (command) => {
  it("injects what makes pods, and writes all else as it was", async () => {
    const file = fileOf("app.yaml", `---\n${service}---\n${deployment}`);
    const { out, err } = await run(command, "-f", file);
    expect(out.startsWith(`${service}---\n`)).toBe(true);
    const [, written] = parseAllDocuments(out).map((document) => document.toJS() as unknown);
    const [given] = parseAllDocuments(deployment).map((document) => document.toJS() as unknown);
    const context = { namespace: "default", world: loadText("").world, values: injectionValues({}, SCRIM_VERSION) };
    expect(written).toEqual(injectDocument(given, context).value);
    expect(err).toBe("");
  });

  it("goes by the mesh's settings, the values of the installation and a revision", async () => {
    const mesh = fileOf("mesh.yaml", "trustDomain: example.org\ndefaultConfig: {concurrency: 2}\n");
    const values = fileOf("values.yaml", "global: {hub: registry.example, tag: 7}\n");
    const more = ["--meshConfigFile", mesh, "--valuesFile", values, "--revision", "canary", "-n", "shop"];
    const output = join(directory, "out.yaml");
    const { out } = await run(command, "-f", fileOf("app.yaml", deployment), ...more, "-o", output);
    const text = readFileSync(output, "utf8");
    expect(out).toBe("");
    const parts = ["registry.example/init:7", "istiod-canary.istio-system.svc", '"MESH_ID":"example.org"'];
    for (const part of [...parts, "istio.io/rev: canary"]) expect(text).toContain(part);
    expect(text).toMatch(/- --concurrency\n *- "2"/);
  });
});

describe("scrim inject", () => {
  it("tells what it leaves alone, with the place and the reason", async () => {
    const left = deployment.replace("{app: web}", '{sidecar.istio.io/inject: "false"}');
    const file = fileOf("left.yaml", `${service}---\n${left}`);
    const { out, err } = await run("inject", "-f", file);
    expect(out).toContain(left);
    expect(err).toBe(
      `${file}:6: note: Deployment default/web: not injected: its label sidecar.istio.io/inject is "false"\n`,
    );
  });

  it("writes nothing where a pod asks for what it cannot have, or where the text is none", async () => {
    const wrong = deployment.replace("{labels:", "{annotations: {sidecar.istio.io/proxyCPU: lots}, labels:");
    await expect(run("inject", "-f", fileOf("wrong.yaml", wrong))).rejects.toThrow(/lots is not a quantity/);
    await expect(run("inject", "-f", fileOf("broken.yaml", "a: [1\n"))).rejects.toThrow(/broken.yaml:/);
    await expect(run("inject", "-f", join(directory, "nowhere.yaml"))).rejects.toThrow(/cannot be read/);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ["a text", `${service}---\njust text\n`, /none.yaml:6: error: is no object of Kubernetes: it must be a map/],
    ["a list", "- a\n", /none.yaml:1: error: is no object/],
    ["no kind", "apiVersion: v1\n", /none.yaml:1: error: is no object of Kubernetes: it has no kind/],
    ["no version", "kind: Pod\n", /none.yaml:1: error: is no object of Kubernetes: it has no apiVersion/],
    ["an item", "apiVersion: v1\nkind: List\nitems:\n- 5\n", /none.yaml:4: error: items\[0\]: is no object/],
    ["items", "apiVersion: v1\nkind: List\nitems: 5\n", /a List's items must be a list/],
    ["bytes", Buffer.from([0x61, 0x0a, 0x23, 0xff, 0xfe, 0x80]), /none.yaml:2: is no text in UTF-8/],
  ])("writes nothing where what it is given is no object: %s", async (_, text, why) => {
    const output = join(directory, "none.out.yaml");
    const file = join(directory, "none.yaml");
    writeFileSync(file, text);
    await expect(run("inject", "-f", file, "-o", output)).rejects.toThrow(why);
    expect(existsSync(output)).toBe(false);
  });

  it("says of a List's item where it is", async () => {
    const item = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostNetwork: true, containers: []}}";
    const file = fileOf(
      "list.yaml",
      `apiVersion: v1\nkind: List\nitems:\n- ${service.split("\n")[0]}\n  kind: X\n- ${item}\n`,
    );
    const { out, err } = await run("inject", "-f", file);
    expect(out).toContain(item);
    expect(err).toMatch(/^[^\n]*list.yaml:6: note: Pod default\/a: not injected: it uses the host's network/);
  });

  it("warns of what is written wrongly, with its place, and injects", async () => {
    const misspelt = deployment.replace("{labels:", "{annotations: {sidecar.istio.io/proxyCpus: 1m}, labels:");
    const { out, err } = await run("inject", "-f", fileOf("misspelt.yaml", misspelt.replace(": 1m", ': "1m"')));
    expect(out).toContain("istio-proxy");
    expect(err).toMatch(
      /misspelt.yaml:1: warning: Deployment default\/web: annotation sidecar.istio.io\/proxyCpus has/,
    );
  });

  it("writes texts so that kubectl, which reads YAML 1.1, takes them for texts", async () => {
    const labels = '{app: web, canary: "yes", since: "2026-01-01", mode: "0o7", at: "1:30"}';
    const { out } = await run("inject", "-f", fileOf("texts.yaml", deployment.replace("{app: web}", labels)));
    for (const line of ['canary: "yes"', 'since: "2026-01-01"', 'mode: "0o7"', 'at: "1:30"'])
      expect(out).toContain(line);
  });

  it("has no templates of one's own", async () => {
    const file = fileOf("app.yaml", deployment);
    await expect(run("inject", "-f", file, "--injectConfigFile", "x")).rejects.toThrow(/no injection templates/);
  });
});
