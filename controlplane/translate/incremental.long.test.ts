// What is brought up to date after a change is what would be made from nothing: over the objects of all golden
// scenarios and a generated mesh, edited at random.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { withOfflinePods } from "../cli/offline-pods.ts";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { runSlice } from "../model/time-slice.ts";
import { createProxySnapshots } from "../snapshot/proxy-snapshots.ts";
import { createResourceEncoder, type EncodedResources } from "../snapshot/encode.ts";
import { analyzeWorld } from "../analyze/analyze-world.ts";
import { loadText } from "../store/load.ts";
import { createInputs } from "../world/inputs.ts";
import { createWorld, type World } from "../world/world.ts";
import type { EmittedResources } from "./emit/resources.ts";
import type { PluginModules } from "./ir/modules.ts";
import { keyOf, type MeshProxy, type ProxyClass } from "./ir/proxy-class.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import type { Inputs } from "./resolve/modules.ts";
import { proxyOf } from "./resolve/testing.ts";
import { createEditedMesh, edits } from "./testing-edits.ts";
import { generatedMesh } from "./testing-mesh.ts";
import { emitProxy, keepOnlyWhatIsServed, resolveProxy } from "./translate.ts";

const golden = fileURLToPath(new URL("../../test/golden", import.meta.url));

/** All objects of a scenario, and a pod for each of its workloads. */
function objectsOf(scenario: string): readonly MeshObject[] {
  return objectsIn(readFileSync(join(golden, scenario, "input.yaml"), "utf8"));
}

function objectsIn(text: string): readonly MeshObject[] {
  const world = withOfflinePods(loadText(text).world);
  return allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]);
}

const scenarios = readdirSync(golden).filter((name) => existsSync(join(golden, name, "input.yaml")));
const objects = new Map(scenarios.map((name) => [name, objectsOf(name)]));
objects.set("a generated mesh", objectsIn(generatedMesh(16)));
const everything = [...objects.values()].flat();
objects.set("all of them", everything);

const builtins = new Map<string, ReturnType<PluginModules["builtin"]>>();

/**
 * Modules as they are after so many changes of plugins: each plugin goes through its states, some of them differ by
 * proxy.
 */
function modulesAt(round: number): PluginModules {
  return {
    builtin(name) {
      const known = builtins.get(name) ?? { sha256: `sha256-of-${name}`, bytes: Uint8Array.of(0) };
      builtins.set(name, known);
      return known;
    },
    plugin(namespace, name, proxy) {
      const at = (round + name.length + proxy.length) % 4;
      if (at === 0) return { kind: "pending" };
      if (at === 1) return { kind: "unavailable", reason: `not in round ${round}` };
      return {
        kind: "module",
        module: { sha256: `${namespace}/${name} ${at}`, bytes: Uint8Array.of(at) },
        settings: { configuration: String(at), rootId: "", environment: {}, hostEnvironment: [] },
      };
    },
    differsByProxy: (_namespace, name) => (round + name.length) % 3 === 0,
  };
}

/** Proxies of the mesh, two of one class, and two that no pod describes. */
function proxiesOf(world: World, most: number): readonly MeshProxy[] {
  const ofPods = world.list("Pod").flatMap((pod) => proxyOfPod(world, pod) ?? []);
  // Not the first of them only: neighbours in the list are alike.
  const some = ofPods.filter((_, index) => index % Math.ceil(ofPods.length / most) === 0);
  const stranger: ProxyClass = {
    kind: "sidecar",
    namespace: "elsewhere",
    workload: "w",
    serviceAccount: "s",
    labels: { app: "reviews" },
    ports: [],
    goesOut: true,
  };
  const strangers = [stranger, { ...stranger, namespace: "default" }].map((one) => proxyOf(one, "10.9.9.9"));
  return [...some, ...some.slice(0, 1).map(replicaOf), ...strangers];
}

function replicaOf(proxy: MeshProxy): MeshProxy {
  return proxyOf(proxy.class, "10.9.9.100");
}

type Translate = Pick<typeof import("./translate.ts"), "emitProxy" | "resolveProxy"> &
  Pick<typeof import("../world/inputs.ts"), "createInputs">;

/** What a translation says, as plain data in a fixed form; a bug that throws must throw alike. */
function said({ emitProxy: emit, resolveProxy: resolve }: Translate, inputs: Inputs, proxy: MeshProxy): unknown {
  try {
    const ir = resolve(inputs, proxy);
    return { ir, resources: plain(emit(ir)) };
  } catch (error) {
    return { error: String(error) };
  }
}

function plain(resources: EmittedResources): unknown {
  return Object.fromEntries(
    Object.entries(resources).map(([kind, map]) => [kind, [...(map as ReadonlyMap<string, unknown>)]]),
  );
}

function scratch(world: World): World {
  return createWorld(
    allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]),
    world.mesh,
  );
}

/** Everything anew: its answers and messages were never asked for before. */
async function fromNothing(): Promise<{ readonly translate: Translate; readonly world: (world: World) => World }> {
  vi.resetModules();
  const [{ emitProxy, resolveProxy }, store, inputs] = await Promise.all([
    import("./translate.ts"),
    import("../world/world.ts"),
    import("../world/inputs.ts"),
  ]);
  const translate = { emitProxy, resolveProxy, createInputs: inputs.createInputs };
  return {
    translate,
    world: (world) =>
      store.createWorld(
        allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]),
        world.mesh,
      ),
  };
}

function versions(encoded: EncodedResources | undefined): unknown {
  return (
    encoded &&
    Object.fromEntries(
      Object.entries(encoded.maps).map(([kind, map]) => [
        kind,
        [...map.values()].map(({ name, version }) => `${name} ${version}`),
      ]),
    )
  );
}

function snapshotsOf() {
  const problems: unknown[] = [];
  const snapshots = createProxySnapshots<Inputs, MeshProxy>({
    translate: (inputs, proxy) => emitProxy(resolveProxy(inputs, proxy)),
    keyOf,
    encoder: createResourceEncoder(),
    isBootstrapCluster: (name) => name === "xds-grpc",
    log: { error: (fields) => void problems.push(fields) },
  });
  return { snapshots, problems };
}

/**
 * Everything that each of these proxies is told, asked for in the order given: what they share must not depend on who
 * came first.
 */
function allSaid(
  translate: Translate,
  world: World,
  proxies: readonly MeshProxy[],
  modules: PluginModules,
): ReadonlyMap<string, unknown> {
  const inputs = translate.createInputs(world, modules);
  return new Map(proxies.map((proxy) => [keyOf(proxy), said(translate, inputs, proxy)]));
}

/** Begins the work and gives it up after so many of its parts, modulo few. */
function givenUp(work: () => void, parts: number): void {
  let nowMs = 0;
  runSlice({ budgetMs: parts % 200, nowMs: () => nowMs++ }, work);
}

/** Compares fast, and shows what differs only where something does. */
function expectSame(found: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): void {
  for (const [key, one] of expected) if (!isDeepStrictEqual(found.get(key), one)) expect(found.get(key)).toEqual(one);
}

describe("after any edits of a mesh", () => {
  it.each([...objects.keys()])(
    "%s: every proxy is told what it would be told by a control plane that starts then",
    async (scenario) => {
      const own = objects.get(scenario) ?? [];
      await fc.assert(
        fc.asyncProperty(edits(30), async (sequence) => {
          const mesh = createEditedMesh(own, everything);
          const kept = snapshotsOf();
          let modules = modulesAt(0);
          let served:
            | {
                world: World;
                proxies: readonly MeshProxy[];
                modules: PluginModules;
                said: ReadonlyMap<string, unknown>;
              }
            | undefined;
          for (const [index, edit] of sequence.entries()) {
            const before = mesh.pluginRound();
            mesh.apply(edit);
            if (mesh.pluginRound() !== before) modules = modulesAt(mesh.pluginRound());
            const world = mesh.world(),
              proxies = proxiesOf(world, 4),
              others = [...proxies].reverse();
            const anew = scratch(world);
            givenUp(() => allSaid(here, world, proxies, modules), edit.other);
            // Who is served the state before while the next is made is told what it was told.
            if (index % 9 === 8 && served !== undefined)
              expectSame(allSaid(here, served.world, served.proxies, served.modules), served.said);
            const said = allSaid(here, world, proxies, modules);
            expectSame(said, allSaid(here, anew, others, modules));
            if (index % 9 === 2) {
              keepOnlyWhatIsServed(createInputs(world, modules));
              served = { world, proxies, modules, said };
            }
            expect(analyzeWorld(world)).toEqual(analyzeWorld(anew));
            if (index % 5 === 0)
              for (const proxy of proxies) {
                kept.snapshots.setInputs(createInputs(world, modules));
                kept.snapshots.resourcesOf(proxy);
              }
          }
          const world = mesh.world(),
            proxies = proxiesOf(world, 8),
            others = [...proxies].reverse();
          const { translate, world: worldFrom } = await fromNothing();
          expectSame(allSaid(here, world, proxies, modules), allSaid(translate, worldFrom(world), others, modules));
          const fresh = snapshotsOf();
          kept.snapshots.setInputs(createInputs(world, modules));
          fresh.snapshots.setInputs(createInputs(scratch(world), modules));
          for (const proxy of others) {
            const expected = versions(fresh.snapshots.resourcesOf(proxy));
            // What does not hold together is not published: what was there before stays.
            if (fresh.problems.length === 0) expect(versions(kept.snapshots.resourcesOf(proxy))).toEqual(expected);
            fresh.problems.length = 0;
          }
        }),
        { seed: 20_26, numRuns: RUNS },
      );
    },
    120_000,
  );
});

const here: Translate = { createInputs, emitProxy, resolveProxy };
/** Few, for they take long; other seeds find more. */
const RUNS = 4;
