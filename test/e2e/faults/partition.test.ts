// A network that loses every packet between proxies and their control plane, for a while, and tells neither; `npm run
// bench -- endurance` does it for an hour.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrived } from "../../../bench/endurance/arrival.ts";
import { type Relay, startRelay } from "../../../bench/endurance/relay.ts";
import { startTraffic } from "../../../bench/endurance/traffic.ts";
import { createWorld, type World } from "../../../bench/endurance/world.ts";
import { request } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { type ServedMesh, startServe } from "../../support/serve.ts";
import { freePorts } from "../../support/serve-settings.ts";

let world: World;
let relay: Relay;
let controlPlane: ServedMesh;
let admin = "";

/** A proxy finds out within two seconds that nobody answers, instead of fifteen. */
const impatient = (bootstrap: object): object =>
  JSON.parse(
    JSON.stringify(bootstrap).replace('{"interval":"10s","timeout":"5s"}', '{"interval":"1s","timeout":"1s"}'),
  ) as object;

const synced = () =>
  eventually("every acknowledgement", async () => {
    const connected = JSON.parse((await request(`${admin}/debug/syncz`)).body) as unknown[];
    return connected.length === world.pods.length && (await request(`${admin}/synced`)).status === 200
      ? true
      : undefined;
  });

beforeAll(async () => {
  world = await createWorld();
  const ports = await freePorts();
  controlPlane = startServe({ directories: world.directories, ports });
  await controlPlane.ready();
  admin = controlPlane.admin;
  relay = await startRelay(ports.xds);
  await world.startEnvoys(relay.port, impatient);
  await arrived(world);
  await synced();
});
afterAll(async () => {
  await world?.close();
  await controlPlane?.stop();
  await relay?.close();
});

const counted = async (name: string): Promise<readonly number[]> =>
  Promise.all(
    world
      .envoys()
      .map(async (envoy) =>
        Number(
          new RegExp(`^${name.replaceAll(".", "\\.")}: (\\d+)`, "m").exec(await envoy.admin("/stats"))?.[1] ?? NaN,
        ),
      ),
  );

describe("a partition that nobody is told of", () => {
  it("costs no request; afterwards what changed arrives, and only that", async () => {
    const atStart = relay.take();
    const traffic = startTraffic(world.outbound, () => ["web", "outside"], 20);
    relay.fallSilent();
    world.change({ route: 1, endpoint: 1, plugin: 1, services: 1 });
    await eventually("every proxy's attempts to come back", async () => {
      // They gave up their streams, and what they try instead is lost too.
      const connected = await counted("control_plane.connected_state");
      return connected.every((state) => state === 0) ? true : undefined;
    });
    world.change({ route: 2, plugin: 2 });
    expect(relay.take().bytesDown).toBe(0);
    relay.heal();
    await arrived(world);
    await synced();
    await traffic.stop();
    const { sent, failures } = traffic.totals();
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan(40);
    const healing = relay.take();
    expect(healing.bytesDown).toBeLessThan(atStart.bytesDown / 2);
    // What they had was neither sent again nor taken from them.
    for (const name of [
      "cluster_manager.cluster_modified",
      "cluster_manager.cluster_removed",
      "listener_manager.listener_modified",
      "listener_manager.lds.update_rejected",
      "cluster_manager.cds.update_rejected",
    ]) {
      expect([name, await counted(name)]).toEqual([name, [0, 0, 0]]);
    }
  });
});
