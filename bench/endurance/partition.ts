// consumes: for how long xDS is cut
// produces: what requests and proxies made of it: failures, tries to connect, when each proxy was up to date again, and
// what was sent for that
// never does: tell either side that the other one is gone
import { residentBytesOf } from "../process-cost.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { Envoy } from "../../test/support/envoy.ts";
import { machineMs } from "../load/messages.ts";
import { arrived, until } from "./arrival.ts";
import { freePorts } from "../../test/support/serve-settings.ts";
import { type RunningControlPlane, startControlPlane } from "./control-plane.ts";
import { type Passed, type Relay, startRelay } from "./relay.ts";
import { startTraffic, type Traffic } from "./traffic.ts";
import { createWorld, type World } from "./world.ts";

const REQUESTS_PER_SECOND = 4;
/** How long it is looked at afterwards: a storm would show. */
const AFTERWARDS_MS = 60_000;
const CHANGES = 12;

export interface PartitionResult {
  readonly minutes: number;
  readonly requests: number;
  readonly failures: readonly string[];
  readonly changes: number;
  /** Of all proxies together, from the start until all had everything. */
  readonly first: Passed;
  readonly during: Passed;
  /** How many streams the control plane still took for open at the end of the partition. */
  readonly streamsAtTheEnd: number;
  /** From healing until each of these was as the files say. */
  readonly convergedMs: Readonly<Record<string, number>>;
  /** From healing until everything was acknowledged, and in the minute after that. */
  readonly healing: Passed;
  readonly afterwards: Passed;
  /** What each proxy counted from healing on. */
  readonly proxies: readonly Readonly<Record<string, number>>[];
  readonly certificatesRenewed: number;
  readonly bytes: { readonly before: Memory; readonly after: Memory };
}

interface Memory {
  readonly controlPlaneHeap: number;
  readonly controlPlane: number;
  readonly envoys: readonly number[];
}

interface Stage {
  readonly world: World;
  readonly relay: Relay;
  readonly controlPlane: RunningControlPlane;
  readonly traffic: Traffic;
  readonly print: (line: string) => void;
}

/** Cuts xDS for so many minutes while the mesh's files change, and heals it. */
export async function partition(minutes: number, print: (line: string) => void): Promise<PartitionResult> {
  const world = await createWorld();
  const ports = await freePorts();
  // Certificates reach half of their life while nobody can be told: they are renewed then, and must come afterwards.
  const controlPlane = await startControlPlane(world, ports, Math.max(60_000, minutes * 1.5 * 60_000));
  const relay = await startRelay(ports.xds);
  let traffic: Traffic | undefined;
  try {
    await world.startEnvoys(relay.port);
    await arrived(world);
    await acknowledged(controlPlane, world.pods.length);
    traffic = startTraffic(world.outbound, () => ["web", "outside"], REQUESTS_PER_SECOND);
    const result = await cutAndHeal(minutes, { world, relay, controlPlane, traffic, print });
    await traffic.stop();
    const { sent, failures } = traffic.totals();
    return { ...result, requests: sent, failures };
  } finally {
    await traffic?.stop();
    await world.close();
    await controlPlane.kill();
    await relay.close();
  }
}

async function cutAndHeal(minutes: number, stage: Stage): Promise<Omit<PartitionResult, "requests" | "failures">> {
  const { world, relay, controlPlane, print } = stage;
  await delay(5_000);
  const first = relay.take();
  const before = { counters: await counters(world), memory: await memory(stage), serials: await serials(world) };
  relay.fallSilent();
  await changeMeanwhile(minutes, stage);
  const during = relay.take();
  const streamsAtTheEnd = (JSON.parse(await controlPlane.page("/debug/syncz")) as unknown[]).length;
  const healedMs = machineMs();
  relay.heal();
  print(`${new Date().toISOString()} healed`);
  const convergedMs = {
    ...(await arrived(world, healedMs)),
    acknowledged: (await acknowledged(controlPlane, world.pods.length)) - healedMs,
  };
  const healing = relay.take();
  await delay(Math.min(AFTERWARDS_MS, minutes * 60_000));
  const after = { counters: await counters(world), memory: await memory(stage), serials: await serials(world) };
  return {
    minutes,
    changes: CHANGES,
    first,
    during,
    streamsAtTheEnd,
    convergedMs,
    healing,
    afterwards: relay.take(),
    proxies: after.counters.map((each, index) =>
      Object.fromEntries(
        Object.entries(each).map(([name, value]) => [name, value - (before.counters[index]?.[name] ?? 0)]),
      ),
    ),
    certificatesRenewed: after.serials.filter((serial, index) => serial !== before.serials[index]).length,
    bytes: { before: before.memory, after: after.memory },
  };
}

/** Spreads the changes over the time; requests must go on as before, since nobody hears of them. */
async function changeMeanwhile(minutes: number, { world, traffic, print }: Stage): Promise<void> {
  const kinds = [
    () => world.change({ route: world.state().route + 1 }),
    () => world.change({ endpoint: world.state().endpoint === 0 ? 1 : 0 }),
    () => world.change({ plugin: world.state().plugin + 1 }),
    () => world.change({ services: world.state().services + 1 }),
  ];
  for (let change = 0; change < CHANGES; change++) {
    await delay((minutes * 60_000) / (CHANGES + 1));
    // The endpoint changes an odd number of times: it is another one at the end.
    kinds[change % kinds.length]?.();
    const { sent, failures } = traffic.totals();
    print(
      `${new Date().toISOString()} change ${change + 1} of ${CHANGES}; ${sent} requests, ${failures.length} failed`,
    );
  }
  await delay((minutes * 60_000) / (CHANGES + 1));
}

async function acknowledged(controlPlane: RunningControlPlane, proxies: number): Promise<number> {
  return until("every acknowledgement", async () => {
    const report = JSON.parse(await controlPlane.page("/debug/syncz")) as object[];
    return report.length === proxies && (await fetchStatus(controlPlane)) === 200;
  });
}

async function fetchStatus(controlPlane: RunningControlPlane): Promise<number> {
  return (JSON.parse(await controlPlane.page("/synced")) as { synced: boolean }).synced ? 200 : 503;
}

/** What the proxies did because of xDS. */
const COUNTERS =
  /^((?:cluster|listener)_manager\.(?:\w+_(?:added|modified|removed)|[cl]ds\.update_(?:rejected|attempt))): (\d+)$/gm;

async function counters(world: World): Promise<readonly Readonly<Record<string, number>>[]> {
  return Promise.all(
    world
      .envoys()
      .map(async (envoy) =>
        Object.fromEntries(
          [...(await envoy.admin("/stats")).matchAll(COUNTERS)].map(([, name = "", value]) => [name, Number(value)]),
        ),
      ),
  );
}

async function serials(world: World): Promise<readonly string[]> {
  return Promise.all(
    world
      .envoys()
      .map(async (envoy: Envoy) =>
        [
          ...new Set(
            [...(await envoy.admin("/certs")).matchAll(/"serial_number":\s*"([0-9a-f]+)"/g)].map(
              ([, serial]) => serial,
            ),
          ),
        ]
          .sort()
          .join(),
      ),
  );
}

async function memory({ world, controlPlane }: Stage): Promise<Memory> {
  const { heapBytes, residentBytes } = await controlPlane.sample();
  return {
    controlPlaneHeap: heapBytes,
    controlPlane: residentBytes,
    envoys: world.envoys().map((envoy) => residentBytesOf(envoy.pid)),
  };
}
