// Directories of the control plane that cannot be written, while requests flow and the mesh changes. What stands in the
// way here is a directory in a file's place: that stops whoever runs the tests, root too, as a full or read-only disk
// does.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrived } from "../../../bench/endurance/arrival.ts";
import { startTraffic } from "../../../bench/endurance/traffic.ts";
import { createWorld, type World } from "../../../bench/endurance/world.ts";
import { scrim } from "../../support/mesh.ts";
import { type ControlPlanePorts, freePorts } from "../../support/serve-settings.ts";
import { type ServedMesh, startServe } from "../../support/serve.ts";
import { eventually } from "../../support/until.ts";

const CANNOT = new RegExp(
  "The state directory \\S+ cannot be written \\(.+\\): proxies are served on, " +
    "but a restart would not know what changed since; make room there, or make it writable\\.",
  "g",
);

let world: World;
let ports: ControlPlanePorts;
let controlPlane: ServedMesh;
let output = "";

/** `log`: where its output goes; a pipe that is read here unless given. */
async function start(log: number | "pipe" = "pipe"): Promise<void> {
  output = "";
  controlPlane = startServe({
    directories: world.directories,
    ports,
    stdio: ["ignore", log === "pipe" ? "ignore" : log, log],
    env: { SCRIM_LOG_LEVEL: "debug" },
  });
  controlPlane.process.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  await controlPlane.ready();
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
  await controlPlane?.stop("SIGTERM");
});

describe("a state directory that cannot be written", () => {
  it("costs no request and no change, is told of in one sentence, and has all once it can be written", async () => {
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

    await controlPlane?.stop("SIGKILL");
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
    await controlPlane?.stop("SIGTERM");
    const full = openSync("/dev/full", "w");
    await start(full);
    world.write(
      "broken.yaml",
      "kind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata: {name: broken}\nspec: {hosts: 7}\n",
    );
    world.change({ route: 4, endpoint: 0 });
    await arrived(world);
    expect([controlPlane.process.exitCode, controlPlane.process.signalCode]).toEqual([null, null]);
    expect(spawnSync(process.execPath, [scrim, "version"], { stdio: ["ignore", full, full] }).status).toBe(1);
    closeSync(full);
  });
});
