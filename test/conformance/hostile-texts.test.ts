// Every text that people write, in every kind, replaced by texts that Envoy is known to refuse somewhere: what is
// accepted of them Envoy loads, or the object is found out that made what it does not load.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { type MeshObject, objectKey, refOf } from "../../controlplane/model/object.ts";
import { withHeld } from "../../controlplane/proxies/held-objects.ts";
import { createResourceEncoder, type EncodedResource } from "../../controlplane/snapshot/encode.ts";
import { parseFile } from "../../controlplane/source/files/parse-file.ts";
import { createStore } from "../../controlplane/store/store.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { createScratchEnvoy } from "../../controlplane/xds/rejections/scratch-envoy.ts";
import type { World } from "../../controlplane/world/world.ts";
import { scenarioNames } from "../golden/scenario.ts";
import { scratchDirectory } from "../support/children.ts";
import { findEnvoy } from "../support/envoy.ts";

const goldens = fileURLToPath(new URL("../golden", import.meta.url));
// A busy machine is no verdict.
const scratch = createScratchEnvoy({
  findBinary: async () => (await findEnvoy()).path,
  timeoutMs: 90_000,
  directory: scratchDirectory(),
});
afterAll(() => scratch.close());

const HOSTILE = [
  ...["\n", "a\nb", "\u0001", "%", "%NODE_ZONE%", "(", "[", "{*}", "\\9", "a b", "é", "*", "..", "|", "", " "],
  ...["9999999999999s", "1.2.3.4/99", "::1", "70000", "x".repeat(5_000), "/nowhere/file.pem"],
  // The control plane's own parser takes this escape, Envoy's does not.
  "b'\\u00e9' == request.headers['x']",
];
/** Fields that no golden has, among them what only Envoy can judge: files and expressions. */
const MORE = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy:
    tls: {mode: SIMPLE, caCertificates: system, sni: web.example, subjectAltNames: [web.example]}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: istio-system}
spec: {accessLogging: [{filter: {expression: response.code >= 400}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: pair, namespace: istio-system}
type: kubernetes.io/tls
stringData: {tls.crt: one, tls.key: two}
`;
/** Modules stand for others here, so filters are not tried: what texts mean to them is their own tests' matter. */
const modules: PluginModules = {
  builtin: (name) => ({ sha256: name, bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d) }),
  differsByProxy: () => false,
  plugin: () => ({ kind: "unavailable", reason: "none here" }),
};
const encoder = createResourceEncoder();
/** What was done already to a field of this name, in another scenario. */
const seen = new Set<string>();

type Path = readonly (string | number)[];
type Value = Readonly<Record<string, unknown>>;

/** The places of all texts below, but for what says which document this is. */
function* textsIn(value: unknown, path: Path = []): Generator<Path> {
  if (typeof value === "string") yield path;
  else if (typeof value === "object" && value !== null)
    for (const [key, inner] of Object.entries(value)) {
      const isName = path.length === 0 && (key === "kind" || key === "apiVersion");
      const isIdentity = path[0] === "metadata" && path.length === 1 && (key === "name" || key === "namespace");
      if (!isName && !isIdentity) yield* textsIn(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    }
}

function withText(value: Value, path: Path, change: (text: string) => string): Value {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  const last = path.at(-1)!;
  at[last] = change(String(at[last]));
  return copy;
}

/** A mesh of which one document at a time is another. */
function createMesh(documents: readonly Value[], workload: string) {
  const store = createStore({ strict: false });
  const put = (index: number, value: Value): void => {
    const read = parseFile(stringify(value), "f.yaml");
    const unit = { id: String(index).padStart(4, "0"), documents: read.documents, problems: [], settled: true };
    store.apply({ source: "files", units: [unit], notices: [] });
  };
  for (const [index, value] of documents.entries()) put(index, value);
  return {
    put,
    world: () => store.world(),
    inForce: () => store.violations().filter(({ severity }) => severity === "error"),
    made: (world: World): readonly EncodedResource[] => {
      const translation = translateProxy(world, workload, modules);
      if (translation.kind !== "translated") return [];
      const { maps } = encoder.encodeResources("class", translation.resources);
      const { extensionConfigs: _filters, ...others } = maps;
      return Object.values(others).flatMap((map) => [...map.values()]);
    },
  };
}

interface Tried {
  readonly what: string;
  readonly resource: EncodedResource;
  /** Returns what the scenario has under the name without the object that was changed. */
  readonly without: () => EncodedResource | undefined;
}

/** What the proxy is told after each change that is accepted, each content once. */
function changesOf(name: string, text: string, workload: string, hostile = HOSTILE, byTurns = true): readonly Tried[] {
  const documents = parseAllDocuments(text)
    .map((document) => document.toJS() as Value)
    .filter(Boolean);
  const mesh = createMesh(documents, workload);
  const known = new Set(mesh.made(mesh.world()).map(({ version }) => version));
  const tried: Tried[] = [];
  const tryOne = (index: number, value: Value, what: string): "refused" | "tells nothing" | "tells" => {
    const before = mesh.inForce().length;
    mesh.put(index, value);
    if (mesh.inForce().length > before) return "refused";
    const fresh = mesh.made(mesh.world()).filter(({ version }) => !known.has(version));
    if (fresh.length === 0) return "tells nothing";
    const world = mesh.world();
    const object = world.get(value["kind"] as MeshObject["kind"], ...namesOf(value));
    const without = ({ kind, name }: EncodedResource): EncodedResource | undefined =>
      object === undefined
        ? undefined
        : mesh
            .made(withHeld(world, [{ object, instead: undefined }]))
            .find((one) => one.kind === kind && one.name === name);
    const named = object === undefined ? "?" : objectKey(refOf(object));
    for (const resource of fresh) {
      known.add(resource.version);
      tried.push({ what: `${name}: ${named} ${what}`, resource, without: () => without(resource) });
    }
    return "tells";
  };
  for (const [index, value] of documents.entries()) {
    for (const path of textsIn(value)) {
      const field = fieldOf(value, path);
      if (seen.has(field)) continue;
      // The texts stand alone and at the end of what was there by turns, and the other way round in the next field.
      let isAlone = seen.size % 2 === 0 || !byTurns;
      seen.add(field);
      let inVain = 0;
      for (const text of hostile) {
        if (inVain > UNTOLD_AFTER) break;
        const changed = withText(value, path, (before) => (isAlone ? text : before + text));
        const outcome = tryOne(index, changed, `${isAlone ? "=" : "+"} ${path.join(".")} ${nameOf(text)}`);
        isAlone = !isAlone || !byTurns;
        if (outcome === "tells nothing") inVain++;
        else if (outcome === "tells") inVain = -Infinity;
      }
    }
    mesh.put(index, value);
  }
  return tried;
}

/** After so many texts that are accepted and change nothing for the proxy, a field is not for proxies. */
const UNTOLD_AFTER = 5;

/** What is written by a key of one's own (a label's) is one field, whatever the key. */
function fieldOf(value: Value, path: Path): string {
  const steps = path.map((step, at) => {
    if (typeof step === "number") return "[]";
    return MAPS.has(String(path[at - 1])) ? "{}" : step;
  });
  return [value["kind"], ...steps].join(".");
}
const MAPS: ReadonlySet<string> = new Set(["labels", "matchLabels", "selector", "data", "stringData"]);

function nameOf(text: string): string {
  return JSON.stringify(text).slice(0, 30);
}

function namesOf({ kind, metadata }: Value): [namespace: string, name: string] {
  const { namespace = kind === "Namespace" ? "" : "default", name = "" } = (metadata ?? {}) as Record<string, string>;
  return [namespace, name];
}

const BATCH = 200;

interface Outcome {
  /** What Envoy alone refuses, and loads without the object. */
  readonly foundOut: readonly string[];
  /** What it loads neither with the change nor without the object. */
  readonly wrong: readonly string[];
}

/** Returns those that Envoy does not load, with its reasons: halves of what is bad, until each is by itself. */
async function refusedAmong(tried: readonly Tried[]): Promise<readonly (Tried & { readonly reason: string })[]> {
  if (tried.length === 0) return [];
  const verdict = await scratch.tryAll(tried.map(({ resource }) => resource));
  expect(verdict, "an answer of Envoy").toBeDefined();
  if (verdict?.loads !== false) return [];
  const [first] = tried;
  if (tried.length === 1) return [{ ...first!, reason: verdict.reason }];
  const middle = tried.length >> 1;
  return [...(await refusedAmong(tried.slice(0, middle))), ...(await refusedAmong(tried.slice(middle)))];
}

async function outcomeOf(tried: readonly Tried[]): Promise<Outcome> {
  const wrong: string[] = [],
    foundOut: string[] = [];
  for (let start = 0; start < tried.length; start += BATCH) {
    for (const { what, without, reason } of await refusedAmong(tried.slice(start, start + BATCH))) {
      const other = without();
      const isFoundOut = other === undefined || (await scratch.tryAll([other]))?.loads === true;
      (isFoundOut ? foundOut : wrong).push(`${what}: ${reason.slice(0, 200)}`);
    }
  }
  return { wrong, foundOut };
}

describe("a text that Envoy refuses", () => {
  it.each(scenarioNames(goldens))("is refused before, or its object is found out: %s", async (name) => {
    const [text, proxy] = ["input.yaml", "proxy.txt"].map((file) => readFileSync(join(goldens, name, file), "utf8"));
    expect((await outcomeOf(changesOf(name, text!, proxy!.trim()))).wrong).toEqual([]);
  });

  it("is refused before, or its object is found out: files and expressions", async () => {
    seen.clear();
    const { wrong, foundOut } = await outcomeOf(changesOf("more", MORE, "default/web", HOSTILE.slice(-3), false));
    expect(wrong).toEqual([]);
    // That the trial can tell is shown by what nobody could know before.
    expect(foundOut.join("\n")).toContain("DestinationRule/default/web = spec.trafficPolicy.tls.caCertificates");
    expect(foundOut.join("\n")).toContain("Telemetry/istio-system/logs = spec.accessLogging.0.filter.expression");
  });
});
