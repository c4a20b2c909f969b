// A control plane that starts anew must not lose what a file held before somebody broke it.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { createCell } from "../stages/cell.ts";
import { createAcceptedObjects, readAcceptedObjects } from "./accepted-objects.ts";
import { createStore, type Store } from "./store.ts";

const file = "mesh/reviews.yaml";
const good = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}, weight: 100}]}]
`;

function tell(store: Store, text: string | undefined, path = file): void {
  const { documents, problems } = text === undefined ? { documents: [], problems: [] } : parseFile(text, path);
  store.apply({ source: "mesh", units: [{ id: path, documents, problems, settled: true }], notices: [] });
}

const names = (store: Store) =>
  store
    .world()
    .list("VirtualService")
    .map(({ metadata }) => metadata.name);

const news = {
  failed: (path: string, error: unknown) => expect.fail(`${path}: ${String(error)}`),
  written: () => undefined,
};

describe("objects remembered across a restart", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "scrim-accepted-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function restarted(): Promise<Store> {
    const before = createStore({ strict: false });
    tell(before, good);
    const path = join(directory, "accepted.json");
    const accepted = createAcceptedObjects(path, () => true, { news, sleep: async () => {}, quietMs: 0 });
    accepted.keep({ world: createCell(before.world()), earlier: () => [] });
    await accepted.flush();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    return createStore({ strict: false, remembered: readAcceptedObjects(path).objects });
  }

  it("are nothing by themselves: only files say what there is", async () => {
    const store = await restarted();
    expect(names(store)).toEqual([]);
    tell(store, undefined);
    expect(names(store)).toEqual([]);
  });

  it("are in force where the file cannot be read any more", async () => {
    const store = await restarted();
    tell(store, `${good.slice(0, -30)}\n {[`);
    expect(names(store)).toEqual(["reviews"]);
    expect(store.violations()[0]?.origin).toMatchObject({ path: file });
  });

  it("are in force where the document became invalid", async () => {
    const store = await restarted();
    tell(store, good.replace("weight: 100", "weight: -1"));
    expect(names(store)).toEqual(["reviews"]);
    expect(store.violations()[0]?.servingLastGood).toBe(true);
  });

  it("are the same objects where nothing changed, and a change replaces them", async () => {
    const store = await restarted();
    tell(store, good);
    expect(names(store)).toEqual(["reviews"]);
    tell(store, good.replace("name: reviews", "name: other"));
    expect(names(store)).toEqual(["other"]);
  });

  it("do not come back for a file that was deleted meanwhile", async () => {
    const store = await restarted();
    tell(store, good.replace("name: reviews", "name: other"), "mesh/other.yaml");
    expect(names(store)).toEqual(["other"]);
    tell(store, good.replace("weight: 100", "weight: -1"), "mesh/late.yaml");
    expect(names(store)).toEqual(["other"]);
  });

  it("stay in force while the directory holds nothing at all, and a notice says so", async () => {
    const remembered = (await restarted()) && readAcceptedObjects(join(directory, "accepted.json")).objects;
    const store = createStore({ strict: false, remembered, keeps: { name: "mesh", directory: "mesh" } });
    store.apply({ source: "mesh", units: [], notices: [] });
    store.apply({ source: "runtime", units: [], notices: [] });
    expect(names(store)).toEqual(["reviews"]);
    expect(store.violations()).toMatchObject([
      { origin: { path: "mesh" }, servingLastGood: true, message: expect.stringContaining("--allow-empty") },
    ]);
    tell(store, undefined);
    expect(names(store)).toEqual(["reviews"]);
    tell(store, `${good.slice(0, -30)}\n {[`);
    expect(names(store)).toEqual(["reviews"]);
    tell(store, good.replace("name: reviews", "name: other"), "mesh/other.yaml");
    tell(store, undefined);
    expect(names(store)).toEqual(["other"]);
    expect(store.violations()).toEqual([]);
  });

  it("do not stay for another directory's sake, nor when another source is silent", async () => {
    const remembered = (await restarted()) && readAcceptedObjects(join(directory, "accepted.json")).objects;
    const elsewhere = createStore({ strict: false, remembered, keeps: { name: "mesh", directory: "mes" } });
    elsewhere.apply({ source: "mesh", units: [], notices: [] });
    expect(names(elsewhere)).toEqual([]);
    const runtime = createStore({ strict: false, remembered, keeps: { name: "mesh", directory: "mesh" } });
    runtime.apply({ source: "runtime", units: [], notices: [] });
    expect(names(runtime)).toEqual([]);
  });

  it("are nothing when the kept file is not readable as such", () => {
    const path = join(directory, "accepted.json");
    writeFileSync(path, '{"format": 1, "obj');
    expect(readAcceptedObjects(path).objects).toEqual([]);
    writeFileSync(path, '{"format": 99, "objects": []}');
    expect(readAcceptedObjects(path).objects).toEqual([]);
  });

  it("are read as a version before wrote them, when all were of files", () => {
    const path = join(directory, "accepted.json");
    const metadata = { name: "reviews", namespace: "default", labels: {}, annotations: {} };
    const spec = { hosts: ["reviews"], http: [{ route: [{ destination: { host: "reviews" }, weight: 100 }] }] };
    const kept = { kind: "VirtualService", apiVersion: "networking.istio.io/v1", metadata, spec };
    const location = { file, line: 1, column: 1 };
    writeFileSync(path, JSON.stringify({ format: 1, objects: [{ ...kept, location }] }));
    const remembered = readAcceptedObjects(path).objects;
    expect(remembered).toEqual([{ ...kept, origin: fileOrigin(file) }]);
    const store = createStore({ strict: false, remembered });
    tell(store, good.replace("weight: 100", "weight: -1"));
    expect(names(store)).toEqual(["reviews"]);
    expect(store.violations()[0]?.servingLastGood).toBe(true);
  });

  it("are written once for a burst of changes, and at once before the end", async () => {
    const path = join(directory, "accepted.json");
    let pauses = 0;
    const accepted = createAcceptedObjects(path, () => true, {
      news,
      quietMs: 1,
      sleep: (_, signal) => new Promise((resolve) => (pauses++, signal.addEventListener("abort", () => resolve()))),
    });
    const store = createStore({ strict: false });
    tell(store, good);
    accepted.keep({ world: createCell(store.world()), earlier: () => [] });
    tell(store, good.replace("name: reviews", "name: ratings"));
    accepted.keep({ world: createCell(store.world()), earlier: () => [] });
    expect(readAcceptedObjects(path).objects).toEqual([]);
    await accepted.flush();
    expect([readAcceptedObjects(path).objects.map(({ metadata }) => metadata.name), pauses]).toEqual([["ratings"], 1]);
  });
});
