import { pino } from "pino";
import { expect, it } from "vitest";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import type { Remembered } from "../store/accepted-objects.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { createResourceEncoder, type EncodedResource, type EncodedResources } from "../snapshot/encode.ts";
import { createCell } from "../stages/cell.ts";
import { createStore } from "../store/store.ts";
import { emitProxy, resolveProxy } from "../translate/translate.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import type { World } from "../world/world.ts";
import { createInputs } from "../world/inputs.ts";
import type { RejectedContent } from "../xds/rejections/blame.ts";
import { plainRoutes } from "../xds/plain-routes.ts";
import { createHeldObjects } from "./held-objects.ts";
import { proxyOfPod } from "./proxy-class.ts";
import { createRefusalStage } from "./refusal-stage.ts";

const modules: Inputs["modules"] = {
  builtin: (name) => ({ sha256: name, bytes: Uint8Array.of() }),
  differsByProxy: () => false,
  plugin: () => ({ kind: "unavailable", reason: "none here" }),
};
const listen = JSON.stringify([{ port: 8080, name: "http", address: "10.1.0.1:8080", app: "127.0.0.1:8080" }]);
const mesh = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: default
  labels: {app: web}
  annotations:
    scrim.mesh/workload: web
    scrim.mesh/proxy: sidecar
    scrim.mesh/outbound: "10.1.0.1:15001"
    scrim.mesh/listen: '${listen}'
spec: {serviceAccountName: web, containers: [{name: app, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.1.0.1, phase: Running, conditions: [{type: Ready, status: "True"}]}
`;
const route = (value: string, name = "web") => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec: {hosts: [web], http: [{headers: {response: {set: {x-is: "${value}"}}}, route: [{destination: {host: web}}]}]}
`;
const log = (expression: string) => `
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: istio-system}
spec: {accessLogging: [{filter: {expression: "${expression}"}}]}
`;
const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;

function objectsOf(world: World): readonly MeshObject[] {
  return allKinds.flatMap((kind) => structuredClone(world.list(kind) as readonly MeshObject[]));
}

/**
 * A control plane whose Envoys load nothing in which the word BAD is. `isWhole`: they have route configurations with
 * their virtual hosts inside.
 */
function createBench(remembered: Remembered = { objects: [] }, isWhole = false) {
  const store = createStore({ strict: false, remembered: remembered.objects });
  const accepted = createCell(store.world());
  const held = createHeldObjects(accepted, remembered);
  const published = createCell<Inputs | undefined>(undefined);
  const refused = createCell<readonly RejectedContent[]>([]);
  const loads = async ({ bytes }: EncodedResource) => !Buffer.from(bytes).includes("BAD");
  const encoder = createResourceEncoder();
  const proxyIn = (world: World) => proxyOfPod(world, world.get("Pod", "default", "web-0")!);
  const logger = pino({ level: "silent" });
  const encoded = (): EncodedResources => {
    const inputs = published.read()!;
    return encoder.encodeResources("class", emitProxy(resolveProxy(inputs, proxyIn(inputs.world)!)));
  };
  const publication = {
    published,
    ownerOf: (has: (resources: EncodedResources) => boolean) =>
      has(encoded()) ? proxyIn(published.read()!.world) : undefined,
  };
  void createRefusalStage({
    ...{ publication, held, refused, loads, logger },
    tryAgain: async (content) =>
      (await loads(content))
        ? { loads: true }
        : { loads: false, reason: /BAD\.\w+/.exec(Buffer.from(content.bytes).toString("latin1"))?.[0] ?? "still" },
    forget: () => undefined,
    clock: { sleep: () => new Promise(() => undefined) },
  }).start?.(AbortSignal.timeout(60_000));

  /** What the proxy is made now, and what of it no Envoy loads. */
  const made = (): readonly EncodedResource[] => {
    const { maps: apart } = encoded();
    const routes = plainRoutes(apart.routes, apart.virtualHosts);
    const maps = isWhole ? { ...apart, routes, virtualHosts: new Map() } : apart;
    return Object.values(maps).flatMap((map) => [...map.values()]);
  };
  const take = (...texts: readonly string[]): void => {
    const documents = parseFile([mesh, ...texts].join("---"), "f.yaml").documents;
    store.apply({ source: "files", units: [{ id: "f", documents, problems: [], settled: true }], notices: [] });
    accepted.set(store.world());
  };
  return {
    held,
    take,
    /** Brings the mesh to these documents, and tells of what Envoy refuses until it refuses nothing. */
    async edit(...texts: readonly string[]) {
      take(...texts);
      for (let round = 0; round < 5; round++) {
        published.set(createInputs(held.world.read(), modules));
        const bad = made().filter(({ bytes }) => Buffer.from(bytes).includes("BAD"));
        if (bad.length === 0) return;
        const reason = `Error adding listener(s) ${bad[0]!.name}: cannot be loaded\nsecond line: goo.gle/debugstr {}`;
        refused.set(
          bad.map((resource) => ({
            resource,
            classKey: "class",
            reason,
            atMs: 0,
            blame: "content",
            isAccepted: false,
            rejectedBy: new Set(["default/web-0"]),
            witnesses: new Set(["default/web-0"]),
          })),
        );
        for (let turn = 0; turn < 200; turn++) await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
      }
      throw new Error("something is refused still");
    },
    says: () =>
      held.violations.read().map(({ object, message, servingLastGood }) => ({ object, message, servingLastGood })),
    has: (text: string) => made().some(({ bytes }) => Buffer.from(bytes).includes(text)),
  };
}

it("names the object at a start, and leaves out nothing but that", async () => {
  const bench = createBench();
  await bench.edit(route("good"), log("BAD"), strict);
  expect(bench.says()).toEqual([
    {
      object: "Telemetry/istio-system/logs",
      message: "Envoy refuses what it says: cannot be loaded (it is left out)",
      servingLastGood: false,
    },
  ]);
  expect(bench.has("good")).toBe(true);
  expect(bench.held.world.read().list("PeerAuthentication")).toHaveLength(1);
});

it("keeps the last good version at an edit, while what changed beside it goes on", async () => {
  const bench = createBench();
  await bench.edit(route("first"), log("response.code > 1"));
  await bench.edit(route("second"), log("BAD"), strict);
  expect(bench.says().map(({ object, servingLastGood }) => [object, servingLastGood])).toEqual([
    ["Telemetry/istio-system/logs", true],
  ]);
  expect([bench.has("second"), bench.has("response.code > 1"), bench.has("BAD")]).toEqual([true, true, false]);
  expect(bench.held.world.read().list("PeerAuthentication")).toHaveLength(1);
  await bench.edit(route("third"), log("BAD too"), strict);
  expect([bench.has("third"), bench.has("response.code > 1")]).toEqual([true, true]);
  await bench.edit(route("third"), log("response.code > 2"), strict);
  expect(bench.says()).toEqual([]);
  expect(bench.has("response.code > 2")).toBe(true);
});

it("names the object of a route configuration that a client has whole", async () => {
  const bench = createBench({ objects: [] }, true);
  await bench.edit(route("first"), strict);
  await bench.edit(route("BAD"), log("response.code > 1"));
  expect(bench.says().map(({ object, servingLastGood }) => [object, servingLastGood])).toEqual([
    ["VirtualService/default/web", true],
  ]);
  expect([bench.has("first"), bench.has("response.code > 1")]).toEqual([true, true]);
});

it("names each of several, and one that comes back unmended again", async () => {
  const bench = createBench();
  await bench.edit(route("fine"), log("BAD"));
  await bench.edit(route("BAD"), log("BAD"));
  expect(
    bench
      .says()
      .map(({ object }) => object)
      .sort(),
  ).toEqual(["Telemetry/istio-system/logs", "VirtualService/default/web"]);
  expect(bench.has("fine")).toBe(true);
  await bench.edit(route("fine"));
  expect(bench.says()).toEqual([]);
  await bench.edit(route("fine"), log("BAD"));
  expect(bench.says().map(({ object }) => object)).toEqual(["Telemetry/istio-system/logs"]);
});

it("says of each of several what is wrong with it", async () => {
  const bench = createBench();
  const settings = `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "accessLogFile: /BAD.file"}
`;
  await bench.edit(settings, log("BAD.expression"));
  expect(bench.says().map(({ object, message }) => `${object}: ${message}`)).toEqual([
    expect.stringMatching(/^ConfigMap\/istio-system\/istio: .*BAD\.file/),
    expect.stringMatching(/^Telemetry\/istio-system\/logs: .*BAD\.expression/),
  ]);
});

it("comes back to the last good version at a start after a run in which it was refused", async () => {
  const before = createBench();
  await before.edit(route("fine"), log("response.code > 1"));
  await before.edit(route("fine"), log("BAD"));
  const objects = objectsOf(before.held.world.read());
  const bench = createBench({ objects });
  await bench.edit(route("fine"), log("BAD"));
  expect(bench.says().map(({ object, servingLastGood }) => [object, servingLastGood])).toEqual([
    ["Telemetry/istio-system/logs", true],
  ]);
  expect([bench.has("fine"), bench.has("response.code > 1"), bench.has("BAD")]).toEqual([true, true, false]);
});

it("comes back to it also when the run ended before anybody had said that it is bad", async () => {
  const before = createBench();
  await before.edit(route("fine"), log("response.code > 1"));
  before.take(route("fine"), log("BAD"));
  before.take(route("fine"), log("BAD too"));
  const [objects, earlier] = [objectsOf(before.held.world.read()), structuredClone(before.held.earlier())];
  const bench = createBench({ objects, earlier });
  await bench.edit(route("fine"), log("BAD"));
  expect(bench.says().map(({ servingLastGood }) => servingLastGood)).toEqual([true]);
  expect([bench.has("response.code > 1"), bench.has("BAD")]).toEqual([true, false]);
});
