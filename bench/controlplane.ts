// consumes: a mesh in files or in a real API server, and simulated proxies in a process of their own
// produces: how fast and at what cost the control plane (all its stages, in this process) connects them and tells them
// of changes
// never does: measure the simulated proxies' own work as the control plane's
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as delay } from "node:timers/promises";
import { createControlPlane } from "../controlplane/main.ts";
import { CONTROL_PLANE_SERVER_NAME } from "../controlplane/bootstrap/bootstrap.ts";
import type { ApiClient } from "../controlplane/kubernetes/api-client.ts";
import { installationOf } from "../controlplane/settings/installation.ts";
import type { MeshSource, ServeSettings } from "../controlplane/settings/settings.ts";
import { createSystemClock } from "../controlplane/telemetry/clock.ts";
import { createLogger } from "../controlplane/telemetry/logger.ts";
import { createMetrics } from "../controlplane/telemetry/metrics.ts";
import { freePorts, serveSettings } from "../test/support/serve-settings.ts";
import { scratchDirectory, startChild } from "../test/support/children.ts";
import { createClusterMesh } from "./controlplane/cluster-mesh.ts";
import { type BenchMesh, writeMesh } from "./controlplane/mesh.ts";
import type { Arrivals } from "./controlplane/messages.ts";
import { type SimulatedProxies, startProxies } from "./controlplane/proxies.ts";
import { type ChangeName, judge, judgeMemory, type Measured, type PhaseName, sizes } from "./controlplane/targets.ts";
import { machineMs } from "./load/messages.ts";
import type { BenchOptions } from "./options.ts";
import { root } from "./places.ts";
import { peakResidentBytesOf } from "./process-cost.ts";
import { quantile, summarize } from "./statistics.ts";
import { renderTable } from "./table.ts";

/** After the last arrival acknowledgements are still on their way: their cost belongs to the change. */
const SETTLE_MS = 300;
const LOOP_RESOLUTION_MS = 10;
/**
 * Changes of a kind after which the process is as it stays for months: until then its code is being compiled. They are
 * told apart from the others.
 */
const FIRST_CHANGES = 15;

/** Each makes all clusters of all proxies another. */
const MESH_CONFIGS = 3;

/** One thing that happened, at all proxies. */
interface Phase {
  readonly name: PhaseName;
  readonly times: readonly Cost[];
}

interface Cost {
  /** From the change until it was there, at each proxy. */
  readonly arrivalsMs: readonly number[];
  readonly cpuMs: number;
  readonly bytes: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
}

/** Runs the bench, at one size or at all that have targets, and returns its results for the JSON file. */
export async function benchControlplane(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const { proxies, services, quick, from } = options;
  const changes = { first: quick ? 2 : FIRST_CHANGES, later: options.changes ?? (quick ? 3 : 20) };
  if (quick || proxies !== undefined || services !== undefined)
    return benchSize(
      { proxies: proxies ?? (quick ? 20 : 100), services: services ?? (quick ? 50 : 500), from },
      changes,
      print,
    );
  const results: unknown[] = [];
  for (const size of sizes) results.push(await benchSizeApart({ ...size, from }, changes.later));
  return { sizes: results };
}

/** In a process of its own: the peak of memory is that of one size. */
async function benchSizeApart({ proxies, services, from }: Size, changes: number): Promise<unknown> {
  const file = join(scratchDirectory(), "results.json");
  const args = [
    "controlplane",
    "--proxies",
    proxies,
    "--services",
    services,
    "--changes",
    changes,
    "--from",
    from,
    "--json",
    file,
  ].map(String);
  const child = startChild(process.execPath, [join(root, "bench/run.mjs"), ...args], { stdio: "inherit" });
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`the run with ${proxies} proxies failed`);
  return JSON.parse(readFileSync(file, "utf8"));
}

interface Size {
  readonly proxies: number;
  readonly services: number;
  readonly from: BenchOptions["from"];
}

/** Changes of a kind, before the process is warm and then. */
interface Changes {
  readonly first: number;
  readonly later: number;
}

async function benchSize(
  { proxies: proxyCount, services, from }: Size,
  changes: Changes,
  print: (line: string) => void,
): Promise<object> {
  const placed = await placeMesh(from, services, proxyCount);
  const { mesh } = placed;
  const proxies = startProxies();
  const started = machineMs();
  const { controlPlane, port, rootPem } = await startControlPlane(placed);
  try {
    const startMs = machineMs() - started;
    const connected = await measure(() =>
      proxies.connect({ port, rootPem, serverName: CONTROL_PLANE_SERVER_NAME, proxies: mesh.proxies }),
    );
    const peakBytes = peakResidentBytesOf(process.pid);
    await delay(1000);
    const phases: Phase[] = [{ name: "connect all", times: [connected] }];
    const target = Math.floor(services / 2);
    phases.push(
      ...(await changeRepeatedly("one VirtualService", changes, proxies, (time) => ({
        resource: `80/svc-${target}.default.svc.cluster.local:80`,
        change: () => mesh.changeVirtualService(target, 10 + (time % 80)),
      }))),
    );
    phases.push(
      ...(await changeRepeatedly("one endpoint", changes, proxies, (time) => ({
        resource: `outbound|80||svc-${target}.default.svc.cluster.local`,
        change: () => mesh.changeEndpoint(target, 10 + (time % 200)),
      }))),
    );
    phases.push(
      ...(await changeRepeatedly("MeshConfig", { first: 0, later: MESH_CONFIGS }, proxies, (time) => ({
        resource: `outbound|80||svc-${target}.default.svc.cluster.local`,
        change: () => mesh.changeMeshConfig(11 + time),
      }))),
    );
    const peakAtLastBytes = peakResidentBytesOf(process.pid);
    const keptBytes = keptBytesNow();
    report({ proxyCount, services, from, startMs, phases, peakBytes, peakAtLastBytes, keptBytes }, print);
    return { proxies: proxyCount, services, from, startMs, peakBytes, peakAtLastBytes, phases };
  } finally {
    await proxies.close();
    await controlPlane.stop();
    await placed.close();
  }
}

/** Two phases: the first changes, and so many more. */
async function changeRepeatedly(
  name: ChangeName,
  { first, later }: Changes,
  proxies: SimulatedProxies,
  at: (time: number) => { resource: string; change: () => void },
): Promise<readonly Phase[]> {
  const times: Cost[] = [];
  for (let time = 0; time < first + later; time++) {
    const { resource, change } = at(time);
    times.push(await measure((ours) => proxies.after(resource, () => ours(change))));
  }
  return [
    ...(first > 0 ? [{ name: `${name}, at first` as const, times: times.slice(0, first) }] : []),
    { name, times: times.slice(first) },
  ];
}

/**
 * What it costs this process, which is the control plane, until all proxies have it; what is done inside `ours` is the
 * bench's and does not count.
 */
async function measure(happen: (ours: (work: () => void) => void) => Promise<Arrivals>): Promise<Cost> {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  const cpuBefore = process.cpuUsage();
  const startMs = machineMs();
  let oursMs = 0;
  const { atMs, bytes } = await happen((work) => {
    const before = process.cpuUsage();
    work();
    oursMs += milliseconds(process.cpuUsage(before));
  });
  await delay(SETTLE_MS);
  const cpuMs = milliseconds(process.cpuUsage(cpuBefore)) - oursMs;
  loop.disable();
  const delayMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
  return {
    arrivalsMs: atMs.map((ms) => ms - startMs),
    cpuMs,
    bytes,
    loopDelayP99Ms: delayMs(loop.percentile(99)),
    loopDelayMaxMs: delayMs(loop.max),
  };
}

/** After all that nobody holds was collected: the peak also counts what waits for it. */
function keptBytesNow(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

/** A mesh, and what a control plane is told to find it. */
interface PlacedMesh {
  readonly mesh: BenchMesh;
  readonly state: string;
  readonly source: MeshSource;
  readonly client: ApiClient | undefined;
  rootPem(): Promise<string>;
  close(): Promise<void>;
}

async function placeMesh(from: BenchOptions["from"], services: number, proxies: number): Promise<PlacedMesh> {
  const state = scratchDirectory();
  if (from === "files") {
    const { directory, runtimeDir, ...mesh } = writeMesh(state, services, proxies);
    const rootPem = async () => readFileSync(join(state, "ca", "root-cert.pem"), "utf8");
    return { mesh, state, source: { directory, runtimeDir }, client: undefined, rootPem, close: async () => {} };
  }
  const { client, kubeconfig, close, ...mesh } = await createClusterMesh(services, proxies);
  const access = { kind: "kubeconfig", paths: [kubeconfig], context: undefined } as const;
  const own = { namespace: "istio-system", revision: "default", tokenAudience: "istio-ca" };
  const cluster = { access, ...own, webhookAddress: undefined };
  return { mesh, state, source: { cluster }, client, rootPem: () => rootIn(client), close };
}

async function rootIn(client: ApiClient): Promise<string> {
  const path = "/api/v1/namespaces/istio-system/secrets/istio-ca-secret";
  const answer = await client.request({ method: "GET", path });
  const { data } = (answer.kind === "answer" ? answer.body : {}) as { readonly data?: Record<string, string> };
  return Buffer.from(data?.["ca-cert.pem"] ?? "", "base64").toString("utf8");
}

/** The control plane as `scrim serve` has it, in this process. */
async function startControlPlane({ state, source, client, rootPem }: PlacedMesh) {
  const ports = await freePorts();
  const directories = { mesh: "", runtime: "", state, cache: join(state, "cache") };
  const {
    directory: _directory,
    runtimeDir: _runtimeDir,
    ...settings
  } = serveSettings(directories, ports, {
    logLevel: "error",
  });
  const controlPlane = createControlPlane({ ...settings, ...source } as ServeSettings, {
    client,
    logger: createLogger("error", process.stderr),
    clock: createSystemClock(),
    metrics: createMetrics(),
    installation: installationOf(join(root, "controlplane/cli/scrim.mjs")),
    random: Math.random,
    complain: (line) => process.stderr.write(`${line}\n`),
    tell: () => undefined,
  });
  await controlPlane.start();
  while (!controlPlane.view.isReady()) await delay(10);
  return { controlPlane, port: ports.xds, rootPem: await rootPem() };
}

interface Outcome {
  readonly proxyCount: number;
  readonly services: number;
  readonly from: BenchOptions["from"];
  readonly startMs: number;
  readonly phases: readonly Phase[];
  readonly peakBytes: number;
  readonly peakAtLastBytes: number;
  /** What is still in use in the end, on the heap and beside it. */
  readonly keptBytes: number;
}

function report(
  { proxyCount, services, from, startMs, phases, peakBytes, peakAtLastBytes, keptBytes }: Outcome,
  print: (line: string) => void,
): void {
  print(
    `${services} services with 2 subsets and a VirtualService each, ${proxyCount} proxies, one stream ` +
      `each over TLS; ${from === "files" ? "mesh files" : "a real API server"} and control plane as in \`scrim serve\`\n`,
  );
  const size = { proxies: proxyCount, services };
  const rows = phases.map(({ name, times }) => {
    const arrivals = times.flatMap(({ arrivalsMs }) => arrivalsMs).sort((a, b) => a - b);
    const median = (pick: (cost: Cost) => number): number => summarize(times.map(pick)).median;
    const [p50Ms, p99Ms, lastMs] = [0.5, 0.99, 1].map((q) => quantile(arrivals, q)) as [number, number, number];
    const measured: Measured = {
      p99Ms,
      lastMs,
      cpuMs: median(({ cpuMs }) => cpuMs),
      bytes: median(({ bytes }) => bytes),
      loopDelayP99Ms: Math.max(...times.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
    };
    const numbers = [p50Ms, p99Ms, lastMs, measured.cpuMs].map((ms) => ms.toFixed(0));
    return [
      name,
      String(times.length),
      ...numbers,
      (measured.bytes / 1e6).toFixed(3),
      measured.loopDelayP99Ms.toFixed(0),
      Math.max(...times.map(({ loopDelayMaxMs }) => loopDelayMaxMs)).toFixed(0),
      judge(size, name, measured),
    ];
  });
  print(
    renderTable(
      ["change", "times", "p50 ms", "p99 ms", "last ms", "CPU ms", "MB sent", "loop p99 ms", "max ms", "targets"],
      rows,
    ),
  );
  print(
    "\n" +
      `start ${startMs.toFixed(0)} ms; peak memory when all were connected ${(peakBytes / 1e6).toFixed(0)} ` +
      `MB${judgeMemory(size, peakBytes)}, in the end ${(peakAtLastBytes / 1e6).toFixed(0)} MB, of which ` +
      `${(keptBytes / 1e6).toFixed(0)} MB are in use; CPU of ` +
      "the control plane's process, its median over the times; loop: how late it was, of the worst time\n",
  );
}
