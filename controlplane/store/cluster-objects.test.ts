// Objects of a cluster pass through the same store as those of files: last good, violations and what is kept speak of
// their origins.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { unitOf } from "../model/origin.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { createCell } from "../stages/cell.ts";
import { formatViolation } from "../validate/violation.ts";
import type { World } from "../world/world.ts";
import { createAcceptedObjects, readAcceptedObjects } from "./accepted-objects.ts";
import { loadText } from "./load.ts";
import type { StoreViolation } from "./objects-in-force.ts";
import { createStore, type Store, type StoreUpdate } from "./store.ts";
import { createTestCluster, type SentObject } from "./testing-cluster.ts";

const reviews = (weight: unknown, labels = {}): SentObject => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "reviews", namespace: "shop", labels },
  spec: { hosts: ["reviews"], http: [{ route: [{ destination: { host: "reviews" }, weight }] }] },
});

function setUp(options: Partial<Parameters<typeof createStore>[0]> = {}) {
  const cluster = createTestCluster();
  const store = createStore({ strict: false, ...options });
  const updates: StoreUpdate[] = [];
  store.subscribe((update) => updates.push(update));
  const tell = (...units: ReturnType<typeof cluster.put>[]): void =>
    store.apply({ source: "kubernetes", units, notices: [] });
  return {
    store,
    updates,
    cluster,
    put: (object: SentObject) => tell(cluster.put(object)),
    remove: (object: SentObject) => tell(cluster.remove(object)),
    tell,
  };
}

const inForce = (store: Store): MeshObject<"VirtualService"> | undefined =>
  store.world().get("VirtualService", "shop", "reviews");
const weightIn = (store: Store): unknown => inForce(store)?.spec.http?.[0]?.route?.[0]?.weight;

describe("an object of a cluster", () => {
  it("is added, modified and deleted", () => {
    const { store, put, remove } = setUp();
    put(reviews(90));
    expect(inForce(store)?.origin).toEqual({
      kind: "kubernetes",
      object: "VirtualService/shop/reviews",
      uid: "uid-1",
      resourceVersion: "101",
    });
    put(reviews(80));
    expect([weightIn(store), inForce(store)?.origin]).toMatchObject([80, { uid: "uid-1", resourceVersion: "102" }]);
    remove(reviews(80));
    expect([inForce(store), store.violations()]).toEqual([undefined, []]);
  });

  it("stays at its last good version, and the violation names the version that is bad", () => {
    const { store, put, remove, updates } = setUp();
    put(reviews(90));
    put(reviews(-1));
    expect([weightIn(store), inForce(store)?.origin]).toMatchObject([90, { resourceVersion: "101" }]);
    expect(store.violations()).toMatchObject([
      {
        origin: { kind: "kubernetes", uid: "uid-1", resourceVersion: "102" },
        object: "VirtualService/shop/reviews",
        field: "spec.http[0].route[0].weight",
        servingLastGood: true,
      },
    ]);
    expect(store.violations().map(formatViolation)).toEqual([
      expect.stringMatching(
        /^VirtualService\/shop\/reviews \(resourceVersion 102\): error: spec\.http\[0\]\.route\[0\]\.weight: /,
      ),
    ]);
    expect(updates.map(({ worldChanged }) => worldChanged)).toEqual([true, false]);
    put(reviews(70));
    expect([weightIn(store), store.violations()]).toEqual([70, []]);
    put(reviews(-1));
    remove(reviews(-1));
    expect([inForce(store), store.violations()]).toEqual([undefined, []]);
  });

  it("is the same object in a newer version that says the same", () => {
    const { store, put, updates } = setUp();
    put(reviews(90));
    const before = inForce(store);
    put(reviews(90));
    expect(inForce(store)).toBe(before);
    expect(before?.origin).toMatchObject({ resourceVersion: "102" });
    expect(updates).toHaveLength(1);
  });

  it("is another object when it was deleted and made anew", () => {
    const { store, put, cluster, tell } = setUp();
    put(reviews(90));
    const before = inForce(store);
    tell(cluster.remove(reviews(90)), cluster.put(reviews(90)));
    expect(inForce(store)).toEqual({ ...before, origin: { ...before?.origin, uid: "uid-2", resourceVersion: "102" } });
    expect(inForce(store)).not.toBe(before);
  });

  it("gives way to none of its name in a file, and the file is told who counts", () => {
    const { store, put } = setUp();
    put(reviews(90));
    const { documents, problems } = parseFile(JSON.stringify(reviews(10)), "mesh/reviews.yaml");
    store.apply({
      source: "mesh",
      units: [{ id: "mesh/reviews.yaml", documents, problems, settled: true }],
      notices: [],
    });
    expect(weightIn(store)).toBe(90);
    expect(store.violations().map(formatViolation)).toEqual([
      "mesh/reviews.yaml:1:1: error: VirtualService/shop/reviews metadata.name: is defined in " +
        "VirtualService/shop/reviews (resourceVersion 101) already: that one counts",
    ]);
  });

  it("is remembered across a restart by its uid, for the case that its newest version is bad", async () => {
    const directory = mkdtempSync(join(tmpdir(), "scrim-accepted-"));
    const path = join(directory, "accepted.json");
    const { store, put, cluster } = setUp();
    put(reviews(90));
    const news = { failed: () => expect.fail("is not written"), written: () => undefined };
    const accepted = createAcceptedObjects(path, () => true, { news, sleep: async () => {}, quietMs: 0 });
    accepted.keep({ world: createCell(store.world()), earlier: () => [] });
    await accepted.flush();
    const remembered = readAcceptedObjects(path).objects;
    rmSync(directory, { recursive: true });
    expect(remembered.map(({ origin }) => unitOf(origin))).toEqual(["uid-1"]);
    const anew = setUp({ remembered });
    anew.tell(cluster.put(reviews(-1)));
    expect([weightIn(anew.store), anew.store.violations()[0]?.servingLastGood]).toEqual([90, true]);
  });
});

describe("what only a cluster's objects may say, or may not", () => {
  const plugin = {
    ...{ apiVersion: "extensions.istio.io/v1alpha1", kind: "WasmPlugin", metadata: { name: "p", namespace: "shop" } },
    spec: { url: "file:///etc/passwd" },
  };
  const config = {
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" } },
    data: { mesh: "discoverySelectors: [{matchLabels: {mesh: 'yes'}}]" },
  };
  it("is a module in a file: it would be one of the control plane's own", () => {
    const { store, put } = setUp();
    put(plugin);
    expect(store.world().list("WasmPlugin")).toEqual([]);
    expect(store.violations().map(formatViolation)).toEqual([
      expect.stringMatching(
        /^WasmPlugin\/shop\/p .*: error: spec\.url: names a file, which in a cluster would be one of/,
      ),
    ]);
    expect(loadText(JSON.stringify(plugin)).violations).toEqual([]);
  });
  it("is which namespaces are of the mesh", () => {
    const { store, put } = setUp();
    put(config);
    expect(store.violations()).toEqual([]);
    expect(loadText(JSON.stringify(config)).violations).toMatchObject([
      { severity: "warning", message: expect.stringContaining("discoverySelectors: has no effect") },
    ]);
  });
});

describe("a mesh given by a cluster", () => {
  const golden = fileURLToPath(new URL("../../test/golden", import.meta.url));
  const scenarios = readdirSync(golden).filter((name) => existsSync(join(golden, name, "input.yaml")));

  it.each(scenarios)("is the World that files make of it: %s", (scenario) => {
    // Files of modules are the one thing that a cluster's objects may not name.
    const text = readFileSync(join(golden, scenario, "input.yaml"), "utf8").replaceAll(
      /file:\/\/[./]*/g,
      "https://a.test/",
    );
    const byFile = loadText(text);
    const { store, cluster, tell } = setUp();
    const { documents, problems } = parseFile(text, "input.yaml");
    expect(problems).toEqual([]);
    tell(...documents.map(({ value }) => cluster.put(value as SentObject)));
    expect(withoutOrigins(store.world())).toEqual(withoutOrigins(byFile.world));
    expect(store.world().mesh).toEqual(byFile.world.mesh);
    const said = (violations: readonly StoreViolation[]) =>
      violations.map(({ origin: _, ...rest }) => JSON.stringify(rest)).sort();
    expect(said(store.violations())).toEqual(said(byFile.violations));
  });
});

function withoutOrigins(world: World): readonly object[] {
  return allKinds.flatMap((kind) => world.list(kind).map(({ origin: _, ...object }) => object));
}
