// Directories of the control plane that cannot be written, while requests flow and the mesh changes. What stands in the
// way here is a directory in a file's place: that stops whoever runs the tests, root too, as a full or read-only disk
// does.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrived } from "../../../bench/endurance/arrival.ts";
import { type ControlPlanePorts, freePorts } from "../../../bench/endurance/control-plane.ts";
import { startTraffic } from "../../../bench/endurance/traffic.ts";
import { createWorld, type World } from "../../../bench/endurance/world.ts";
import { eventually, request, scrim } from "../../support/mesh.ts";

const CANNOT =
  /The state directory \S+ cannot be written \(.+\): proxies are served on, but a restart would not know what changed since; make room there, or make it writable\./g;

let world: World;
let ports: ControlPlanePorts;
let controlPlane: ChildProcess;
let output = "";

/** `log`: where its output goes; a pipe that is read here unless given. */
async function start(log: number | "pipe" = "pipe"): Promise<void> {
  const { mesh, runtime, state, cache } = world.directories;
  const args = [
    "serve",
    mesh,
    "--runtime",
    runtime,
    "--state-dir",
    state,
    "--xds-address",
    `127.0.0.1:${ports.xds}`,
    "--admin-address",
    `127.0.0.1:${ports.admin}`,
  ];
  output = "";
  controlPlane = spawn(process.execPath, [scrim, ...args], {
    stdio: ["ignore", log === "pipe" ? "ignore" : log, log],
    env: { ...process.env, SCRIM_CACHE_DIR: cache, SCRIM_LOG_LEVEL: "debug" },
  });
  controlPlane.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  await eventually("ready", async () =>
    (await request(`http://127.0.0.1:${ports.admin}/ready`)).status === 200 ? true : undefined,
  );
}

async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (controlPlane?.exitCode !== null || controlPlane.signalCode !== null) return;
  controlPlane.kill(signal);
  await once(controlPlane, "exit");
}

beforeAll(async () => {
  world = await createWorld();
  ports = await freePorts();
  rmSync(world.directories.cache, { recursive: true });
  writeFileSync(world.directories.cache, "");
  await start();
  await world.startEnvoys(ports.xds);
});
afterAll(async () => {
  await world?.close();
  await end("SIGTERM");
});

describe("a state directory that cannot be written", () => {
  it("costs no request and no change, is told of in one sentence, and has everything once it can be written", async () => {
    // Plugins are had although the cache cannot keep them.
    await arrived(world);
    const kept = join(world.directories.state, "accepted.json");
    await eventually("what is kept at first", () =>
      readFileSync(kept, "utf8").includes('"stamp"') ? true : undefined,
    );
    rmSync(kept);
    mkdirSync(join(kept, "in the way"), { recursive: true });
    const traffic = startTraffic(world.outbound, () => ["web", "outside"], 20);
    world.change({ route: 1, endpoint: 1, plugin: 1 });
    await arrived(world);
    await eventually("a sentence", () => (output.match(CANNOT) !== null ? true : undefined));
    world.change({ route: 2, services: 1 });
    await arrived(world);
    expect(output.match(CANNOT)?.length).toBe(1);

    await end("SIGKILL");
    await start();
    world.change({ route: 3, plugin: 2 });
    await arrived(world);
    await eventually("the sentence of this run", () => (output.match(CANNOT) !== null ? true : undefined));

    rmSync(kept, { recursive: true });
    await eventually("what is kept at last", () =>
      readFileSync(kept, "utf8").includes('"late-1"') ? true : undefined,
    );
    await eventually("the good news", () =>
      output.includes("can be written again, and everything is kept.") ? true : undefined,
    );
    await traffic.stop();
    expect(traffic.totals().failures).toEqual([]);
  });
});

describe("a log on a full disk", () => {
  it("stops nothing, and a command that cannot tell its answer says so by its code", async () => {
    await end("SIGTERM");
    const full = openSync("/dev/full", "w");
    await start(full);
    world.write(
      "broken.yaml",
      "kind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata: {name: broken}\nspec: {hosts: 7}\n",
    );
    world.change({ route: 4, endpoint: 0 });
    await arrived(world);
    expect([controlPlane.exitCode, controlPlane.signalCode]).toEqual([null, null]);
    expect(spawnSync(process.execPath, [scrim, "version"], { stdio: ["ignore", full, full] }).status).toBe(1);
    closeSync(full);
  });
});
