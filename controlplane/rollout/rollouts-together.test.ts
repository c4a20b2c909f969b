// Several plugins at once: whose turn it is, whose trap it was, and what a change costs.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshObject } from "../model/object.ts";
import type { PluginState } from "../model/plugin.ts";
import { loadText } from "../store/load.ts";
import type { GoodPlugin } from "../wasm/good-plugins.ts";
import { digestOf } from "../wasm/module-cache.ts";
import type { WatchedProxy } from "./judgement.ts";
import { createRollouts, type Rollouts, type RolloutsOptions } from "./rollouts.ts";
import { markOf } from "./traps.ts";

const PLAN = "{steps: [{percent: 50, pause: 10s}]}";
type Plugin = MeshObject<"WasmPlugin">;

function pluginObject(name: string, plan = PLAN): Plugin {
  const annotations = plan === "" ? "" : `, annotations: { scrim.mesh/rollout: "${plan}" }`;
  const { world, violations } = loadText(
    `apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n` +
      `metadata: { name: ${name}, namespace: shop${annotations} }\n` +
      `spec: { url: "http://plugins.example/${name}.wasm" }\n`,
  );
  return world.list("WasmPlugin")[0] ?? expect.fail(JSON.stringify(violations));
}

function moduleOf(text: string): PluginState {
  const bytes = Buffer.from(text);
  return {
    kind: "module",
    module: { sha256: digestOf(bytes), bytes },
    settings: { configuration: "", rootId: "", environment: {}, hostEnvironment: [] },
  };
}

let directory: string;
let kept: Map<string, GoodPlugin>;
let ending: AbortController;
let nowMs: number;
let monotonicMs: number;
let newest: Record<string, PluginState>;
let asked: number;
let lookedThrough: number;
let requests: number;
/** By plugin: its proxies' numbers. */
let proxies: Record<string, readonly number[]>;
let told: Awaited<ReturnType<RolloutsOptions["newTraps"]>>;
let warnings: unknown[];
let rollouts: Rollouts;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "scrim-rollout-"));
  [nowMs, monotonicMs, lookedThrough, asked, requests, told, warnings] = [1_000, 0, 0, 0, 0, [], []];
  kept = new Map();
  newest = { a: moduleOf("a1"), b: moduleOf("b1"), c: moduleOf("c1") };
  proxies = { a: [1, 2, 3, 4], b: [4, 5, 6, 7], c: [8, 9] };
  ending = new AbortController();
});
afterEach(async () => {
  ending.abort();
  await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 10 });
});

const watched = (plugin: string): readonly WatchedProxy[] =>
  (proxies[plugin] ?? []).map((i) => ({
    name: `web-${i}.shop`,
    address: `10.0.0.${i}`,
    envoyAdmin: `10.0.0.${i}:15000`,
  }));

async function started(): Promise<void> {
  ending.abort();
  ending = new AbortController();
  rollouts = createRollouts({
    newest: (_, name) => {
      asked++;
      return newest[name] ?? { kind: "pending" };
    },
    versions: {
      keep: (name, good) => Promise.resolve(void kept.set(name, good)),
      read: (name) => Promise.resolve(kept.get(name)),
      forget: (name) => Promise.resolve(void kept.delete(name)),
    },
    stateFile: join(directory, "rollouts.json"),
    news: { failed: () => undefined, written: () => undefined },
    proxiesOf: ({ metadata }) => watched(metadata.name),
    running: () => new Set(),
    refusals: () => {
      lookedThrough++;
      return () => undefined;
    },
    newTraps: () => {
      const now = told;
      told = [];
      return Promise.resolve(now);
    },
    readPage: () => Promise.resolve(`envoy_http_downstream_rq_completed{} ${(requests += 10)}\n`),
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => monotonicMs,
      sleep: (_, signal) =>
        new Promise((resolve, reject) => void (signal?.aborted ? reject(new Error("ended")) : setTimeout(resolve, 1))),
    },
    log: { info: () => undefined, warn: (said: object) => void ("trap" in said && warnings.push(said)) },
  });
  await rollouts.load();
}

const status = (name: string) =>
  rollouts.status().find(({ plugin }) => plugin === `shop/${name}`) ?? expect.fail(`no ${name}`);
const ticks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40));

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(what()).toBe(true);
}

/** All three serve their first version; then a, b and c ask for their second, one after the other. */
async function allAtOnce(
  objects: readonly Plugin[] = ["a", "b", "c"].map((name) => pluginObject(name)),
): Promise<void> {
  await started();
  rollouts.update(objects);
  for (const name of ["a", "b", "c"]) {
    newest[name] = moduleOf(`${name}2`);
    [nowMs, monotonicMs] = [nowMs + 1, monotonicMs + 1];
    rollouts.fetched();
  }
}

describe("rollouts on the same proxies", () => {
  it("come one after the other, and say for which they wait; others do not wait", async () => {
    await allAtOnce();
    void rollouts.watch(ending.signal);
    await ticks();
    expect(
      ["a", "b", "c"].map((name) => [status(name).sharePercent, status(name).candidate?.waits, status(name).waitsFor]),
    ).toEqual([
      [50, false, []],
      [0, true, ["shop/a"]],
      [50, false, []],
    ]);
    for (const { address } of watched("b"))
      expect(rollouts.plugin("shop", "b", address)).toMatchObject(newest["b1"] ?? moduleOf("b1"));
    expect(rollouts.differsByProxy("shop", "b")).toBe(false);
    expect(rollouts.act("shop/a", "abort")).toBeUndefined();
    await until(() => status("b").sharePercent === 50);
    expect(status("b").candidate?.stepSinceMs).toBe(nowMs);
  });

  it("all come to their end, however many wait for one another", async () => {
    proxies = { a: [1, 2], b: [2, 3], c: [3, 1] };
    await allAtOnce();
    void rollouts.watch(ending.signal);
    for (let i = 0; i < 20; i++) {
      [nowMs, monotonicMs] = [nowMs + 10_000, monotonicMs + 10_000];
      await ticks();
      expect(rollouts.status().filter(({ sharePercent }) => sharePercent > 0).length).toBeLessThan(2);
    }
    expect(rollouts.status().map(({ history }) => history.at(-1)?.why)).toEqual([
      "all steps passed",
      "all steps passed",
      "all steps passed",
    ]);
  });

  it("can be promoted, aborted and undone while they wait, and replaced by a newer version", async () => {
    await allAtOnce();
    expect(rollouts.act("shop/b", "abort")).toBeUndefined();
    expect(status("b")).toMatchObject({
      candidate: undefined,
      history: [{ outcome: "serving" }, { outcome: "aborted" }],
    });
    for (const [verb, outcome] of [
      ["undo", "undone"],
      ["promote", "promoted"],
    ] as const) {
      newest["b"] = moduleOf(`b for ${verb}`);
      rollouts.fetched();
      expect(status("b").candidate?.waits).toBe(true);
      expect(rollouts.act("shop/b", verb)).toBeUndefined();
      expect(status("b").history.at(-1)?.outcome).toBe(outcome);
    }
    newest["b"] = moduleOf("b5");
    rollouts.fetched();
    newest["b"] = moduleOf("b6");
    rollouts.fetched();
    expect(status("b")).toMatchObject({ candidate: { waits: true }, waitsFor: ["shop/a"] });
    expect(status("b").history.at(-1)).toMatchObject({ outcome: "aborted", why: "a newer version came" });
  });

  it("go on waiting after a restart, and begin when it is their turn", async () => {
    const objects = ["a", "b", "c"].map((name) => pluginObject(name));
    await allAtOnce(objects);
    await until(
      () =>
        existsSync(join(directory, "rollouts.json")) &&
        readFileSync(join(directory, "rollouts.json"), "utf8").split('"candidate":{').length === 4,
    );
    await started();
    rollouts.update(objects);
    void rollouts.watch(ending.signal);
    await ticks();
    expect(status("b")).toMatchObject({ candidate: { waits: true }, waitsFor: ["shop/a"] });
    rollouts.update(objects.slice(1));
    await until(() => status("b").sharePercent === 50);
  });

  it("wait until it is known which proxies they concern: as the mesh starts none are there", async () => {
    proxies = { a: [], b: [], c: [] };
    await allAtOnce();
    void rollouts.watch(ending.signal);
    await ticks();
    expect(status("b").waitsFor).toEqual(["shop/a"]);
    proxies = { a: [1], b: [2], c: [1] };
    await until(() => status("b").sharePercent === 50);
    expect(status("c").waitsFor).toEqual(["shop/a"]);
  });

  it("wait where a plan is mended that could not be read before", async () => {
    const broken = ["a", "b", "c"].map((name) => pluginObject(name, name === "b" ? "{steps: 5}" : PLAN));
    await allAtOnce(broken);
    expect(status("b")).toMatchObject({ sharePercent: 0, waitsFor: [] });
    rollouts.update(broken.with(1, pluginObject("b")));
    expect(status("b")).toMatchObject({ candidate: { waits: true }, waitsFor: ["shop/a"] });
  });

  it("say when no proxy counts what the plan watches", async () => {
    const object = pluginObject(
      "a",
      "{steps: [{percent: 50}], rollback: {metric: {name: nobody_total}, minimumRequests: 1}}",
    );
    await allAtOnce([object]);
    void rollouts.watch(ending.signal);
    await until(() => status("a").missingMetric === "nobody_total");
  });

  it("are no reason to wait for a version without a plan", async () => {
    await allAtOnce(["a", "b", "c"].map((name) => pluginObject(name, name === "b" ? "" : PLAN)));
    expect(status("b").candidate).toBeUndefined();
  });
});

describe("the machine's clock", () => {
  it("ends no pause when it is set forward, and makes none longer when it is set back", async () => {
    await allAtOnce();
    void rollouts.watch(ending.signal);
    await ticks();
    nowMs += 3_600_000;
    await ticks();
    expect(status("a")).toMatchObject({ sharePercent: 50, candidate: { sinceMs: nowMs - 2 } });
    [nowMs, monotonicMs] = [nowMs + 10_000, monotonicMs + 10_000];
    await until(() => status("a").history.at(-1)?.outcome === "promoted");
  });
});

describe("a trap", () => {
  const trapOf = (name: string, version: string | undefined, atMs = nowMs) => ({
    proxy: "web-4.shop",
    trap: {
      mark: markOf(`shop/${name}`, version ?? ""),
      callback: "proxy_on_request_headers",
      message: "Uncaught RuntimeError: unreachable",
      atMs,
    },
  });

  it("takes back the version whose code it was in, and no other plugin's on the same proxy", async () => {
    await allAtOnce();
    void rollouts.watch(ending.signal);
    told = [trapOf("b", status("b").stable)];
    await until(() => status("b").traps.length === 1);
    await ticks();
    expect(status("a").sharePercent).toBe(50);
    told = [trapOf("a", status("a").candidate?.version)];
    await until(() => status("a").history.at(-1)?.outcome === "rolled back");
    expect(status("a").history.at(-1)?.why).toBe(
      "it trapped once, last in proxy_on_request_headers on web-4.shop: Uncaught RuntimeError: unreachable " +
        "(0 times at the version before)",
    );
  });

  it("is excused by as many of the version before, and by none from before it came", async () => {
    await allAtOnce();
    void rollouts.watch(ending.signal);
    const { candidate, stable } = status("a");
    told = [
      trapOf("a", stable),
      trapOf("a", candidate?.version),
      trapOf("a", candidate?.version, 5),
      trapOf("a", "0123456789ab"),
      trapOf("gone", stable),
    ];
    await ticks();
    expect(status("a")).toMatchObject({
      sharePercent: 50,
      traps: [
        { version: stable, count: 1 },
        { version: candidate?.version, count: 2 },
      ],
    });
    told = [trapOf("a", candidate?.version)];
    await until(() => status("a").history.at(-1)?.outcome === "rolled back");
  });

  it("that came while the control plane was down takes its version back as well", async () => {
    const objects = ["a", "b", "c"].map((name) => pluginObject(name));
    await allAtOnce(objects);
    const { candidate } = status("a");
    await until(
      () =>
        existsSync(join(directory, "rollouts.json")) &&
        readFileSync(join(directory, "rollouts.json"), "utf8").includes(`"version":"${candidate?.version ?? ""}"`),
    );
    const whileDown = trapOf("a", candidate?.version, nowMs + 1_000);
    [nowMs, monotonicMs] = [nowMs + 60_000, 0];
    await started();
    told = [whileDown];
    rollouts.update(objects);
    void rollouts.watch(ending.signal);
    await until(() => status("a").history.at(-1)?.outcome === "rolled back");
  });

  it("of a version that all have is told of once, however often it comes", async () => {
    await started();
    rollouts.update([pluginObject("a")]);
    void rollouts.watch(ending.signal);
    told = Array.from({ length: 50 }, () => trapOf("a", status("a").stable ?? ""));
    await until(() => status("a").traps[0]?.count === 50);
    expect(rollouts.problems()).toMatchObject([
      {
        kind: "trap",
        message: expect.stringContaining("trapped in proxy_on_request_headers, the first time on web-4.shop") as string,
      },
    ]);
    expect(warnings).toHaveLength(2);
    rollouts.update([]);
    expect(rollouts.problems()).toEqual([]);
  });
});

describe("a change", () => {
  it("asks after no plugin where the list of plugins is the same, and offers nothing twice", async () => {
    const objects = ["a", "b", "c"].map((name) => pluginObject(name));
    await started();
    rollouts.update(objects);
    const once = asked;
    for (let i = 0; i < 100; i++) rollouts.update(objects);
    expect(asked).toBe(once);
    const before = rollouts.status().map(({ history }) => history);
    rollouts.fetched();
    expect(rollouts.status().map(({ history }) => history)).toEqual(before);
  });
  it("of some plugins looks through the proxies once for all of them", async () => {
    await started();
    rollouts.update(["a", "b", "c"].map((name) => pluginObject(name)));
    const before = lookedThrough;
    rollouts.status();
    expect(lookedThrough - before).toBe(1);
  });
});

describe("what was kept", () => {
  it.each([
    ["no JSON", "{"],
    ["something else", '{"a":1}'],
    ["a candidate without a plan", '[["shop/a",{"history":[],"candidate":{"version":"x","step":0,"stepSinceMs":1}}]]'],
    [
      "a step that its plan does not have",
      `[["shop/a",{"history":[{"version":7}],"candidate":{"version":"x","step":9,"stepSinceMs":1,"plan":` +
        `{"of":"proxies","steps":[{"percent":1}],"rollback":{"errorRate":1,"latency":1,"minimumRequests":1}}}}]]`,
    ],
  ])("and is %s does not keep a control plane from starting", async (_, text) => {
    writeFileSync(join(directory, "rollouts.json"), text);
    await started();
    rollouts.update([pluginObject("a")]);
    expect(rollouts.plugin("shop", "a", "10.0.0.1").kind).toBe("module");
    expect(status("a").history.map(({ outcome }) => outcome)).toEqual(["serving"]);
  });
});
