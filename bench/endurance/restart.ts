// consumes: how many proxies
// produces: what a killed and restarted control plane costs when all of them come back at once: losses, time, bytes,
// event-loop delay
// never does: help them: each tries again as an Envoy does
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { scratchDirectory } from "../../test/support/children.ts";
import { writeMesh } from "../controlplane/mesh.ts";
import { machineMs } from "../load/messages.ts";
import { until } from "./arrival.ts";
import { freePorts } from "../../test/support/serve-settings.ts";
import { type RunningControlPlane, startControlPlane } from "./control-plane.ts";
import { DeltaProxy, type DeltaProxyCounts } from "../../test/support/delta-proxy.ts";
import { ENDPOINTS, HOSTS } from "../../test/support/xds-types.ts";

const SERVICES = 100;
/** More that connect at once for the first time would be a bench of this process. */
const AT_ONCE = 50;
const PATIENCE_MS = 300_000;
/** How long it is looked at afterwards: a storm would show. */
const AFTERWARDS_MS = 15_000;

export interface RestartResult {
  readonly proxies: number;
  readonly services: number;
  readonly first: Phase;
  /** From the new process's start until all of them had what changed meanwhile. */
  readonly again: Phase & {
    readonly startMs: number;
    /** From when the new process served. */
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly lastMs: number;
    /**
     * Streams that ended without the proxy's doing, or could not be opened: until the new process served, and
     * afterwards.
     */
    readonly lossesWhileDown: number;
    readonly lossesAfterwards: number;
    readonly mostPerSecond: number;
  };
  /** What was sent in the quarter of a minute after that. */
  readonly afterwards: Phase;
}

interface Phase {
  readonly bytes: number;
  readonly resources: number;
  readonly connects: number;
  readonly cpuMs: number;
  readonly loopDelayMs: { readonly p99: number; readonly max: number };
}

/** Kills the control plane of so many connected proxies without a word and starts it anew. */
export async function restart(count: number, print: (line: string) => void): Promise<RestartResult> {
  const base = scratchDirectory();
  const mesh = writeMesh(base, SERVICES, count);
  const directories = {
    mesh: mesh.directory,
    runtime: mesh.runtimeDir,
    state: join(base, "state"),
    cache: join(base, "cache"),
  };
  const ports = await freePorts();
  const counts: DeltaProxyCounts = { connects: 0, losses: 0, responses: 0, resources: 0, rejections: 0, bytes: 0 };
  let controlPlane = await startControlPlane({ directories }, ports);
  const where = { port: ports.xds, rootPem: readFileSync(join(directories.state, "ca", "root-cert.pem"), "utf8") };
  const proxies = mesh.proxies.map(
    (client) => new DeltaProxy({ ...client, ip: client.nodeId.split("~")[1] ?? "" }, where, counts),
  );
  const phases = createPhases(counts);
  const target = Math.floor(SERVICES / 2);
  const vhost = `80/svc-${target}.default.svc.cluster.local:80`,
    endpoints = `outbound|80||svc-${target}.default.svc.cluster.local`;
  const versions = (proxy: DeltaProxy): string =>
    `${proxy.versionOf(HOSTS, vhost)} ${proxy.versionOf(ENDPOINTS, endpoints)}`;
  try {
    await connectAll(
      proxies,
      (proxy) => proxy.versionOf(HOSTS, vhost) !== undefined && proxy.versionOf(ENDPOINTS, endpoints) !== undefined,
    );
    await settled(counts);
    const first = phases.end(await controlPlane.sample());
    print(`${count} connected`);
    const before = proxies.map(versions);
    await controlPlane.kill();
    mesh.changeVirtualService(target, 50);
    mesh.changeEndpoint(target, 77);
    await delay(3_000);
    const startedMs = machineMs();
    controlPlane = await startControlPlane({ directories }, ports);
    const [servedMs, lossesWhileDown] = [machineMs(), counts.losses];
    const { atMs, mostPerSecond } = await allAgain(
      proxies,
      (proxy, index) =>
        versions(proxy)
          .split(" ")
          .every((version, at) => version !== before[index]?.split(" ")[at]),
      counts,
    );
    await settled(counts);
    const again = phases.end(await controlPlane.sample());
    await delay(AFTERWARDS_MS);
    const sorted = atMs.map((ms) => ms - servedMs).sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
    return {
      proxies: count,
      services: SERVICES,
      first,
      afterwards: phases.end(await controlPlane.sample()),
      again: {
        ...again,
        startMs: servedMs - startedMs,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        lastMs: at(1),
        lossesWhileDown,
        lossesAfterwards: counts.losses - lossesWhileDown,
        mostPerSecond,
      },
    };
  } finally {
    for (const proxy of proxies) proxy.disconnect();
    await controlPlane.kill();
  }
}

function createPhases(counts: DeltaProxyCounts): {
  end(sample: Awaited<ReturnType<RunningControlPlane["sample"]>>): Phase;
} {
  let before = { ...counts };
  return {
    end({ cpuMs, loopDelayMs }) {
      const now = { ...counts };
      const phase = {
        bytes: now.bytes - before.bytes,
        resources: now.resources - before.resources,
        connects: now.connects - before.connects,
        cpuMs,
        loopDelayMs,
      };
      before = now;
      return phase;
    },
  };
}

async function connectAll(proxies: readonly DeltaProxy[], isComplete: (proxy: DeltaProxy) => boolean): Promise<void> {
  const waiting = [...proxies];
  let open: DeltaProxy[] = [];
  const end = machineMs() + PATIENCE_MS;
  while (waiting.length + open.length > 0) {
    if (machineMs() > end)
      throw new Error(`${waiting.length + open.length} proxies did not connect in ${PATIENCE_MS / 1000} s`);
    open = open.filter((proxy) => !isComplete(proxy));
    for (const proxy of waiting.splice(0, AT_ONCE - open.length)) {
      proxy.connect();
      open.push(proxy);
    }
    await delay(5);
  }
}

/** When each had it, and the most that came in one second. */
async function allAgain(
  proxies: readonly DeltaProxy[],
  isThere: (proxy: DeltaProxy, index: number) => boolean,
  counts: DeltaProxyCounts,
): Promise<{ readonly atMs: readonly number[]; readonly mostPerSecond: number }> {
  const atMs = new Map<DeltaProxy, number>();
  const end = machineMs() + PATIENCE_MS;
  while (atMs.size < proxies.length) {
    if (machineMs() > end)
      throw new Error(
        `${proxies.length - atMs.size} proxies are not back in ${PATIENCE_MS / 1000} s; ` +
          `${counts.losses} streams were lost`,
      );
    proxies.forEach(
      (proxy, index) => void (atMs.has(proxy) || (isThere(proxy, index) && atMs.set(proxy, machineMs()))),
    );
    await delay(10);
  }
  const times = [...atMs.values()].sort((a, b) => a - b);
  const mostPerSecond = Math.max(
    ...times.map((time, index) => times.findLastIndex((other) => other < time + 1_000) - index + 1),
  );
  return { atMs: [...atMs.values()], mostPerSecond };
}

/** Until nothing came for a second. */
async function settled(counts: DeltaProxyCounts): Promise<void> {
  let [responses, sinceMs] = [counts.responses, machineMs()];
  await until("quiet", async () => {
    if (counts.responses !== responses) [responses, sinceMs] = [counts.responses, machineMs()];
    return machineMs() - sinceMs > 1_000;
  });
}
