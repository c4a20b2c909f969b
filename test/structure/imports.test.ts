// The way of the data has one direction: a stage imports only what stands before it.
//
// The Wasm host lives in test/host, and production may use it: it is the package `proxy-wasm-host` with no test
// framework in it, and is imported by that name.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** For each room, the rooms it may import from, beside itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  model: [],
  telemetry: [],
  disk: [],
  listen: ["model"],
  settings: ["model", "telemetry"],
  source: ["model"],
  validate: ["model"],
  world: ["model"],
  store: ["model", "validate", "source", "disk", "world"],
  analyze: ["model", "validate", "world"],
  pods: ["model", "world"],
  "translate/ir": ["model", "pods"],
  "translate/resolve": ["model", "world", "pods", "translate/ir"],
  "translate/emit": ["model", "world", "translate/ir"],
  translate: ["model", "world", "translate/ir", "translate/resolve", "translate/emit"],
  snapshot: ["model", "world", "translate/emit", "telemetry"],
  xds: ["model", "listen", "snapshot", "telemetry"],
  ca: ["model", "disk", "telemetry"],
  wasm: ["model", "telemetry", "disk"],
  rollout: ["model", "wasm", "telemetry", "disk"],
  bootstrap: ["model"],
};

/** What the filters' configurations hold, names that both sides know, and what says which version this is. */
const shared = /^(?:filters\/[a-z]+\/(?:config|rules)\.schema\.ts|filters\/telemetry\/labels\.ts|package\.json)$/;

function roomOf(path: string): string | undefined {
  const inside = relative(join(root, "controlplane"), path);
  if (inside.startsWith("..")) return undefined;
  const [first, second] = inside.split("/");
  return first === "translate"
    ? second?.endsWith(".ts")
      ? "translate"
      : `translate/${second}`
    : first?.endsWith(".ts")
      ? "main"
      : first;
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/^(?:import|export)[^"';]*?from\s+"(\.[^"]+)"/gms)].map((match) =>
    resolve(dirname(path), match[1] ?? ""),
  );
}

const sources = readdirSync(join(root, "controlplane"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !isFixture(file) && !file.includes("build/"))
  .map((file) => join("controlplane", file));

/** Code for tests alone, which may take what it likes. */
function isFixture(file: string): boolean {
  return /(?:^|\/)testing[-/.]/.test(file);
}

describe("the way of the data", () => {
  it("is made of rooms that exist", () => {
    expect(sources.length).toBeGreaterThan(50);
    const rooms = new Set(sources.map((file) => roomOf(join(root, file))));
    for (const room of Object.keys(allowed)) expect(rooms).toContain(room);
  });

  for (const [room, before] of Object.entries(allowed)) {
    it(`${room} imports only ${before.join(", ") || "nothing of ours"}`, () => {
      const turnedBack = sources
        .map((file) => join(root, file))
        .filter((file) => roomOf(file) === room)
        .flatMap((file) => importsOf(file).map((target) => ({ file, target, to: roomOf(target) })))
        .filter(({ to }) => to !== undefined && to !== room && !before.includes(to))
        .map(({ file, target }) => `${relative(root, file)} → ${relative(root, target)}`);
      expect(turnedBack).toEqual([]);
    });
  }

  it("leaves the control plane's folder only for packages and what is shared", () => {
    const turnedBack = sources
      .map((file) => join(root, file))
      .flatMap((file) => importsOf(file).map((target) => ({ file, target: relative(root, target) })))
      .filter(({ target }) => !/^(?:controlplane|protos)\//.test(target) && !shared.test(target))
      .map(({ file, target }) => `${relative(root, file)} → ${target}`);
    expect(turnedBack).toEqual([]);
  });
});

describe("the Wasm host", () => {
  it("imports nothing of ours, and no test framework", () => {
    const host = join(root, "test/host");
    const files = readdirSync(host, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !/\.(?:test|scenarios)\.ts$/.test(file))
      .map((file) => join(host, file));
    expect(files.length).toBeGreaterThan(20);
    const outside = files.flatMap(importsOf).filter((target) => relative(host, target).startsWith(".."));
    expect(outside).toEqual([]);
    expect(files.filter((file) => readFileSync(file, "utf8").includes('from "vitest"'))).toEqual([]);
  });
});
