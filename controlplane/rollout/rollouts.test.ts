import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PluginState } from "../model/plugin.ts";
import { loadText } from "../store/load.ts";
import { createGoodPlugins } from "../wasm/good-plugins.ts";
import { digestOf } from "../wasm/module-cache.ts";
import type { WatchedProxy } from "./judgement.ts";
import { createRollouts, type Rollouts } from "./rollouts.ts";

const PROXIES: readonly WatchedProxy[] = Array.from({ length: 20 }, (_, i) => ({
  name: `web-${i}`,
  address: `10.0.0.${i}`,
  envoyAdmin: `10.0.0.${i}:15000`,
}));

function pluginObject(rollout = "{steps: [{percent: 25, pause: 10s}, {percent: 50, pause: 10s}]}") {
  const annotations = rollout === "" ? "" : `, annotations: { scrim.mesh/rollout: "${rollout}" }`;
  const { world, violations } = loadText(`apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: { name: header, namespace: shop${annotations} }
spec: { url: "http://plugins.example/header.wasm" }
`);
  return world.list("WasmPlugin")[0] ?? expect.fail(JSON.stringify(violations));
}

function moduleState(text: string): PluginState {
  const bytes = Buffer.from(text);
  return {
    kind: "module",
    module: { sha256: digestOf(bytes), bytes },
    settings: { configuration: "", rootId: "", environment: {}, hostEnvironment: [] },
  };
}

let directory: string;
let ending: AbortController;
let nowMs: number;
let newest: PluginState;
let refusal: string | undefined;
let serverErrors: number;
let requests: number;
/** Errors that proxies answer with whatever version they have, of 10 requests. */
let usualErrors: number;
/** Called while a proxy's page is read. */
let whileRead: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "scrim-rollout-"));
  ending = new AbortController();
  [nowMs, newest, refusal, serverErrors, requests, usualErrors, whileRead] = [
    0,
    moduleState("one"),
    undefined,
    0,
    0,
    0,
    () => undefined,
  ];
});
afterEach(async () => {
  ending.abort();
  // States and versions are still being written, each after the other.
  await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 10 });
});

function rolloutsHere(): Rollouts {
  return createRollouts({
    newest: () => newest,
    versions: createGoodPlugins(join(directory, "versions")),
    stateFile: join(directory, "rollouts.json"),
    news: { failed: () => undefined, written: () => undefined },
    proxiesOf: () => PROXIES,
    running: () => new Set(running),
    refusals: () => () => refusal,
    newTraps: () => Promise.resolve([]),
    // Each look a proxy has answered more; those with the new version with as many errors as the test wants.
    readPage: (address) => {
      requests += 10;
      whileRead();
      const first = rollouts?.isFirst("shop", "header", address.split(":")[0] ?? "");
      return Promise.resolve(
        `envoy_http_downstream_rq_completed{} ${requests}\n` +
          `envoy_http_downstream_rq_xx{envoy_response_code_class="5"} ${
            first && usualErrors === 0 ? (serverErrors += serverErrors === 0 ? 0 : 10) : (requests * usualErrors) / 10
          }\n`,
      );
    },
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: (_, signal) =>
        new Promise((resolve, reject) => void (signal?.aborted ? reject(new Error("ended")) : setTimeout(resolve, 1))),
    },
    log: { info: () => undefined, warn: () => undefined },
  });
}

let rollouts: Rollouts | undefined;
let running: readonly string[] = [];

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(what()).toBe(true);
}

/** What each proxy runs, and how many of them run it. */
function served(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { address } of PROXIES) {
    const state = rollouts?.plugin("shop", "header", address);
    const text = state?.kind === "module" ? Buffer.from(state.module.bytes).toString() : (state?.kind ?? "nothing");
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

/** Whether the disk has both versions, and a state that says this. */
function isKept(text: string): boolean {
  try {
    return (
      readFileSync(join(directory, "rollouts.json"), "utf8").includes(text) &&
      readdirSync(join(directory, "versions")).filter((file) => file.endsWith(".json")).length === 2
    );
  } catch {
    return false;
  }
}

async function begun(object = pluginObject()) {
  rollouts = rolloutsHere();
  await rollouts.load();
  rollouts.update([object]);
  newest = moduleState("two");
  rollouts.update([object]);
  void rollouts.watch(ending.signal);
  return object;
}

describe("rollouts", () => {
  it("give a new version to the first share of the proxies, then to more, then to all", async () => {
    await begun();
    const first = served()["two"] ?? 0;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(PROXIES.length / 2);
    nowMs = 10_000;
    await until(() => rollouts?.status()[0]?.sharePercent === 50);
    nowMs = 20_000;
    await until(() => served()["two"] === PROXIES.length && rollouts?.status()[0]?.candidate === undefined);
    expect(rollouts?.status()[0]).toMatchObject({
      plugin: "shop/header",
      sharePercent: 0,
      history: [{ outcome: "serving" }, { outcome: "promoted" }],
    });
  });

  it("take a version back that a proxy refuses", async () => {
    await begun();
    refusal = "web-3.shop refused it: no such import";
    await until(() => served()["one"] === PROXIES.length);
    expect(rollouts?.status()[0]?.history.at(-1)).toMatchObject({ outcome: "rolled back", why: refusal });
    expect(rollouts?.problems()).toMatchObject([
      { kind: "taken back", message: expect.stringContaining(refusal) as string },
    ]);
    expect(rollouts?.heldBack("shop/header")).toContain("was taken back");
  });

  it("say that proxies refuse a version that went to all at once", () => {
    rollouts = rolloutsHere();
    rollouts.update([pluginObject("")]);
    expect(rollouts.status()[0]).not.toHaveProperty("refusal");
    refusal = "web-3.shop refused it: no such import";
    expect(rollouts.status()[0]).toMatchObject({ refusal });
  });

  it("go back to the version before one that proxies refuse, also without a plan, and stay there", async () => {
    const object = await begun(pluginObject(""));
    expect(served()).toEqual({ two: PROXIES.length });
    refusal = "web-3.shop refused it: no such import";
    await until(() => served()["one"] === PROXIES.length);
    refusal = undefined;
    rollouts?.update([object]);
    expect(served()).toEqual({ one: PROXIES.length });
    expect(rollouts?.status()[0]?.history.at(-1)).toMatchObject({
      outcome: "undone",
      why: "web-3.shop refused it: no such import",
    });
  });

  it("let something stand in for a refused version where there is none before it, until another comes", async () => {
    const object = pluginObject("");
    rollouts = rolloutsHere();
    rollouts.update([object]);
    void rollouts.watch(ending.signal);
    refusal = "web-3.shop refused it: no such import";
    await until(() => served()["unavailable"] === PROXIES.length);
    refusal = undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(served()).toEqual({ unavailable: PROXIES.length });
    expect(rollouts.status()[0]?.refusal).toMatch(/no such import/);
    newest = moduleState("two");
    rollouts.update([object]);
    expect(served()).toEqual({ two: PROXIES.length });
  });

  it("take a version back whose proxies answer with more errors", async () => {
    await begun();
    serverErrors = 1;
    await until(() => served()["one"] === PROXIES.length);
    expect(rollouts?.status()[0]?.history.at(-1)?.why).toMatch(/% of its answers are 5xx/);
  });

  it("take it back as well while the mesh changes all the time", async () => {
    const object = await begun();
    serverErrors = 1;
    whileRead = () => rollouts?.update([object]);
    await until(() => rollouts?.status()[0]?.history.at(-1)?.outcome === "rolled back");
  });

  it("blame no version that all have for what they answered before it came, but for more than that", async () => {
    usualErrors = 5;
    await begun(pluginObject("{steps: [{percent: 100, pause: 10s}]}"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(rollouts?.status()[0]).toMatchObject({ sharePercent: 100, history: [{ outcome: "serving" }] });
    usualErrors = 9;
    await until(() => rollouts?.status()[0]?.history.at(-1)?.outcome === "rolled back");
  });

  it("read what proxies counted before a new version in the moment it comes", () => {
    rollouts = rolloutsHere();
    rollouts.update([pluginObject()]);
    expect(requests).toBe(0);
    newest = moduleState("two");
    rollouts.update([pluginObject()]);
    expect(requests).toBe(10 * PROXIES.length);
    rollouts.update([pluginObject()]);
    expect(requests).toBe(10 * PROXIES.length);
  });

  it("blame no version for what was counted of the one before it", async () => {
    const object = await begun();
    serverErrors = 1;
    whileRead = () => {
      newest = moduleState("three");
      serverErrors = 0;
      rollouts?.update([object]);
    };
    await until(
      () =>
        rollouts?.status()[0]?.candidate !== undefined && rollouts.status()[0]?.history.at(-1)?.outcome === "aborted",
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(rollouts?.status()[0]?.history.map(({ outcome }) => outcome)).toEqual(["serving", "aborted"]);
  });

  it("go on where they were after a restart, also where a version was taken back", async () => {
    const object = await begun();
    const before = served();
    ending.abort();
    await until(() => isKept('"candidate":{'));
    rollouts = rolloutsHere();
    await rollouts.load();
    rollouts.update([object]);
    expect(served()).toEqual(before);
    expect(rollouts.act("shop/header", "abort")).toBeUndefined();
    await until(() => isKept('"outcome":"aborted"'));
    rollouts = rolloutsHere();
    await rollouts.load();
    rollouts.update([object]);
    expect(served()).toEqual({ one: PROXIES.length });
  });

  it("undo in one command, and say why one cannot", async () => {
    const object = await begun(pluginObject(""));
    expect(served()).toEqual({ two: PROXIES.length });
    expect(rollouts?.act("shop/header", "undo")).toBeUndefined();
    rollouts?.update([object]);
    expect(served()).toEqual({ one: PROXIES.length });
    expect(rollouts?.act("shop/header", "undo")).toMatch(/no version before/);
    expect(rollouts?.act("shop/other", "undo")).toMatch(/no WasmPlugin/);
  });

  it("hold a new version back when the plan cannot be read, and say so", async () => {
    await begun(pluginObject("{steps: 5}"));
    expect(served()).toEqual({ one: PROXIES.length });
    expect(rollouts?.problems()[0]?.message).toMatch(/^steps: expected a list/);
    expect(rollouts?.act("shop/header", "promote")).toBeUndefined();
    expect(served()).toEqual({ two: PROXIES.length });
  });

  it("leave proxies alone that were there before a plugin that is on its way, and no other", async () => {
    rollouts = rolloutsHere();
    newest = { kind: "pending" };
    running = PROXIES.slice(0, 15).map(({ address }) => address);
    rollouts.update([pluginObject()]);
    running = PROXIES.map(({ address }) => address);
    rollouts.update([pluginObject()]);
    expect(served()).toEqual({ pending: 15, unavailable: 5 });
    expect(rollouts.differsByProxy("shop", "header")).toBe(true);
    newest = moduleState("one");
    rollouts.update([pluginObject()]);
    expect(served()).toEqual({ one: PROXIES.length });
    expect(rollouts.differsByProxy("shop", "header")).toBe(false);
  });

  it("pass on what is not a module, and forget a plugin that is gone", async () => {
    rollouts = rolloutsHere();
    newest = { kind: "unavailable", reason: "no" };
    rollouts.update([pluginObject()]);
    expect(served()).toEqual({ unavailable: PROXIES.length });
    rollouts.update([]);
    expect(rollouts.status()).toEqual([]);
  });
});
