// Every text that people write, in every kind, replaced by texts that Envoy is known to refuse somewhere: what is
// accepted of them Envoy loads, or the object is found out that made what it does not load.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HostError, startHost } from "proxy-wasm-host";
import { afterAll, describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { type MeshObject, objectKey, refOf } from "../../controlplane/model/object.ts";
import { withHeld } from "../../controlplane/proxies/held-objects.ts";
import { createResourceEncoder, type EncodedResource } from "../../controlplane/snapshot/encode.ts";
import { parseFile } from "../../controlplane/source/files/parse-file.ts";
import { planRouters } from "../../controlplane/pods/gateway-plan.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { createStore } from "../../controlplane/store/store.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { messageOf } from "../../controlplane/xds/grpc/wire.ts";
import { createScratchEnvoy } from "../../controlplane/xds/rejections/scratch-envoy.ts";
import type { World } from "../../controlplane/world/world.ts";
import { modulePath } from "../../filters/module-path.ts";
import { decode, nameOfTypeUrl } from "../../protos/codec.ts";
import { scenarioNames } from "../golden/scenario.ts";
import { scratchDirectory } from "../support/children.ts";
import {
  fieldOf,
  HOSTILE,
  identityOf,
  keyOfField,
  nameOf,
  textFields,
  textsIn,
  type Value,
  withText,
} from "../support/hostile-documents.ts";
import { findEnvoy } from "../support/envoy.ts";

const goldens = fileURLToPath(new URL("../golden", import.meta.url));
const probes = fileURLToPath(new URL("../structure/probes", import.meta.url));
// Where access logs go by names that are no paths.
process.chdir(scratchDirectory());
// A busy machine is no verdict.
const scratch = createScratchEnvoy({
  findBinary: async () => (await findEnvoy()).path,
  timeoutMs: 90_000,
  directory: scratchDirectory(),
});
afterAll(() => scratch.close());

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
/** Modules stand for others here: what they are configured with is given to the real ones in the Wasm host. */
const modules: PluginModules = {
  builtin: (name) => ({ sha256: name, bytes: Buffer.from(name) }),
  differsByProxy: () => false,
  plugin: () => ({ kind: "unavailable", reason: "none here" }),
};
const encoder = createResourceEncoder();
/** Fields that were tried already, in another scenario, and how often in vain. */
const seen = new Set<string>();
const vain = new Map<string, number>();
/** Enough for fields that others of their kind stand for in the scenarios. */
const FEW = ["\n", "\u0001", "%", "(", "", "::1", "9999999999999s", "x".repeat(5_000)];
/** In so many scenarios a field that changes nothing for the proxies is tried. */
const MAX_SCENARIOS = 2;

function documentsIn(text: string): readonly Value[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Value)
    .filter(Boolean);
}

/** A mesh of which one document at a time is another. */
function createMesh(documents: readonly Value[], workloads: readonly string[]) {
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
    made: (world: World): readonly EncodedResource[] =>
      workloads.flatMap((workload) => {
        const translation = translateProxy(world, workload, modules);
        if (translation.kind !== "translated") return [];
        const { maps } = encoder.encodeResources(workload, translation.resources);
        return Object.values(maps).flatMap((map) => [...map.values()]);
      }),
  };
}

interface Tried {
  readonly what: string;
  readonly resource: EncodedResource;
  /** Returns what the scenario has under the name without the object that was changed. */
  readonly without: () => EncodedResource | undefined;
}

/** What the proxy is told after each change that is accepted, each content once. */
function changesOf(
  name: string,
  text: string,
  workloads: readonly string[],
  hostile = HOSTILE,
  byTurns = true,
): readonly Tried[] {
  const documents = documentsIn(text);
  const mesh = createMesh(documents, workloads);
  const known = new Set(mesh.made(mesh.world()).map(({ version }) => version));
  const tried: Tried[] = [];
  const tryOne = (index: number, value: Value, what: string): "refused" | "tells nothing" | "tells" => {
    const before = mesh.inForce().length;
    mesh.put(index, value);
    if (mesh.inForce().length > before) return "refused";
    const fresh = mesh.made(mesh.world()).filter(({ version }) => !known.has(version));
    if (fresh.length === 0) return "tells nothing";
    const world = mesh.world();
    const object = world.get(value["kind"] as MeshObject["kind"], ...identityOf(value));
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
      const field = keyOfField(value, path) ?? fieldOf(value, path);
      if (seen.has(field) || (vain.get(field) ?? 0) >= MAX_SCENARIOS) continue;
      // The texts stand alone and at the end of what was there by turns, and the other way round in the next field.
      let isAlone = seen.size % 2 === 0 || !byTurns;
      let inVain = 0;
      for (const text of hostile) {
        if (inVain > UNTOLD_AFTER) break;
        const changed = withText(value, path, (before) => (isAlone ? text : before + text));
        const outcome = tryOne(index, changed, `${isAlone ? "=" : "+"} ${path.join(".")} ${nameOf(text)}`);
        isAlone = !isAlone || !byTurns;
        if (outcome !== "tells nothing") seen.add(field);
        if (outcome === "tells nothing") inVain++;
        else if (outcome === "tells") inVain = -Infinity;
      }
      vain.set(field, (vain.get(field) ?? 0) + 1);
    }
    mesh.put(index, value);
  }
  return tried;
}

/** After so many texts that are accepted and change nothing for the proxy, a field is not for proxies. */
const UNTOLD_AFTER = 5;

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

/** What a filter of ours is configured with; undefined: it is none of our modules. */
function configured({ kind, name, bytes }: EncodedResource) {
  if (kind !== "extensionConfigs") return undefined;
  const { typedConfig } = decode("TypedExtensionConfig", messageOf({ bytes }));
  if (typedConfig === undefined || !/\.Wasm$/.test(typedConfig.typeUrl)) return undefined;
  const { config } = decode(nameOfTypeUrl(typedConfig.typeUrl) as "Wasm", typedConfig.value);
  const { code } = config?.vmConfig ?? {};
  const text = config?.configuration && decode("StringValue", config.configuration.value);
  return {
    name,
    module: Buffer.from(code?.local?.inlineBytes ?? "").toString(),
    rootId: config?.rootId ?? "",
    configuration: text ?? "",
  };
}

const moduleBytes = new Map<string, Uint8Array>();

/** Returns what the real module says of its configuration, where it refuses it. */
function refusedByFilter({ module, rootId, configuration }: NonNullable<ReturnType<typeof configured>>) {
  const bytes = moduleBytes.get(module) ?? readFileSync(modulePath(module));
  moduleBytes.set(module, bytes);
  try {
    const started = startHost({ module: bytes, rootId, configuration: String(configuration) });
    return started.kind === "failed" ? started.message : undefined;
  } catch (error) {
    // Expressions that the host cannot read are Envoy's matter.
    if (error instanceof HostError && error.code === "UNSUPPORTED") return undefined;
    throw error;
  }
}

async function outcomeOf(all: readonly Tried[]): Promise<Outcome> {
  const wrong: string[] = [],
    foundOut: string[] = [];
  const tried: Tried[] = [];
  for (const one of all) {
    const filter = configured(one.resource);
    const reason = filter && refusedByFilter(filter);
    if (filter === undefined) tried.push(one);
    else if (reason !== undefined) wrong.push(`${one.what}: ${filter.name}: ${reason.slice(0, 200)}`);
  }
  for (let start = 0; start < tried.length; start += BATCH) {
    for (const { what, without, reason } of await refusedAmong(tried.slice(start, start + BATCH))) {
      const other = without();
      const isFoundOut = other === undefined || (await scratch.tryAll([other]))?.loads === true;
      (isFoundOut ? foundOut : wrong).push(`${what}: ${reason.slice(0, 200)}`);
    }
  }
  return { wrong, foundOut };
}

const placeOf = ({ kind, name }: EncodedResource): string => `${kind} ${name}`;

/** Where the documents as they stand name files that are not there: nothing can be said of other texts there. */
async function placesLackingFiles(text: string, workloads: readonly string[]): Promise<ReadonlySet<string>> {
  const made = createMesh(documentsIn(text), workloads);
  const own = made.made(made.world()).filter((resource) => configured(resource) === undefined);
  const refused = await refusedAmong(own.map((resource) => ({ what: "", resource, without: () => undefined })));
  return new Set(refused.map(({ resource }) => placeOf(resource)));
}

describe("a text that Envoy refuses", () => {
  it.each(scenarioNames(goldens))("is refused before, or its object is found out: %s", async (name) => {
    const [text, proxy] = ["input.yaml", "proxy.txt"].map((file) => readFileSync(join(goldens, name, file), "utf8"));
    expect((await outcomeOf(changesOf(name, text!, [proxy!.trim()]))).wrong).toEqual([]);
  });

  it.each(readdirSync(probes))("is refused before, or its object is found out: %s", async (file) => {
    const text = readFileSync(join(probes, file), "utf8");
    const routers = planRouters(loadText(text).world).map(({ namespace, name }) => `${namespace}/${name}`);
    const workloads = ["default/web", ...routers];
    const tried = changesOf(file, text, workloads, FEW);
    const lacking = await placesLackingFiles(text, workloads);
    expect((await outcomeOf(tried.filter(({ resource }) => !lacking.has(placeOf(resource))))).wrong).toEqual([]);
  });

  it("was tried in every text field of every kind", () => {
    const pending = [...textFields()].filter(([key]) => !seen.has(key) && !vain.has(key)).map(([, field]) => field);
    // What is read of a cluster at all is nothing that proxies are told.
    expect(pending.filter((field) => !field.startsWith("MeshConfig.discoverySelectors"))).toEqual([]);
  });

  it("is refused before, or its object is found out: files and expressions", async () => {
    seen.clear();
    vain.clear();
    const { wrong, foundOut } = await outcomeOf(changesOf("more", MORE, ["default/web"], HOSTILE.slice(-3), false));
    expect(wrong).toEqual([]);
    // That the trial can tell is shown by what nobody could know before.
    expect(foundOut.join("\n")).toContain("DestinationRule/default/web = spec.trafficPolicy.tls.caCertificates");
    expect(foundOut.join("\n")).toContain("Telemetry/istio-system/logs = spec.accessLogging.0.filter.expression");
  });
});
