// Consumes: a mesh directory.
// Produces: the running mesh on this machine: the control plane as a child, local processes with their sidecars,
// gateway proxies.
// Never does: translate mesh configuration (the control plane does), or leave a process behind.
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CONTROL_PLANE_SERVER_NAME } from "../bootstrap/bootstrap.ts";
import { type Failure, failed, isFailed } from "../model/failure.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import { reachedAt } from "../settings/address.ts";
import type { UpSettings } from "../settings/settings.ts";
import type { World } from "../world/world.ts";
import type { Clock } from "../telemetry/clock.ts";
import { type AddressBlock, claimAddressBlock } from "./claims.ts";
import { type ControlPlaneProcess, startControlPlane } from "./control-plane-process.ts";
import { createGatewayPorts } from "./gateway-ports.ts";
import type { LocalPod } from "./local-pod.ts";
import { claimMeshPorts, type MeshPorts } from "./mesh-ports.ts";
import { createMeshPods, type MeshPods } from "./mesh-pods.ts";
import { createIsolatedNetwork } from "./isolation/isolated-network.ts";
import { createIsolatedSandboxes } from "./isolation/isolated-sandboxes.ts";
import { type MeshNetwork, openMeshNetwork } from "./isolation/mesh-network.ts";
import type { Programs } from "./isolation/programs.ts";
import { createPodFactory, type PodFactory } from "./pod-factory.ts";
import { createLoopbackNetwork } from "./pod-network.ts";
import { createSharedSandboxes } from "./sandbox/shared-network.ts";
import { createRuntimeDirectory, type RuntimeDirectory } from "./runtime-directory.ts";
import { lockStateDir } from "./state-dir.ts";

/** What the runner takes from outside. */
export interface RunnerDeps {
  readonly envoyBinary: string;
  /** With what pods are given networks of their own, where that is asked for. */
  readonly isolation: Programs | undefined;
  readonly launcher: string;
  readonly metricLabels: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly say: (line: string) => void;
  /** Ends a start that is under way. */
  readonly stopAsked: AbortSignal;
  /** Watches the mesh directory; calls back with every accepted state, the first one before it resolves. */
  readonly watchMesh: (settings: UpSettings, onWorld: (world: World) => void) => Promise<{ stop(): Promise<void> }>;
}

export type StartResult = { readonly kind: "running"; readonly mesh: RunningMesh } | Failure;

export interface RunningMesh {
  /** Where this machine reaches the admin pages. */
  readonly admin: SocketAddress;
  world(): World;
  pods(): readonly LocalPod[];
  /** Resolves to true when /synced says that nobody is waited for and no pod is being started, to false after `timeoutMs`. */
  waitUntilSynced(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Ends every process and releases the state directory. */
  stop(): Promise<void>;
}

/** As processes in other namespaces find it. */
const MACHINE_NETWORK = `/proc/${process.pid}/ns/net`;
const CONTROL_PLANE_START_MS = 60_000;
const ACKNOWLEDGED_WITHIN_MS = 30_000;
const STOP_GRACE_MS = 5_000;
const POLL_MS = 100;

/** Starts the mesh; resolves when the control plane is ready and the first pods are being started. */
export async function startMesh(settings: UpSettings, deps: RunnerDeps): Promise<StartResult> {
  const lock = await lockStateDir(settings.stateDir);
  if (isFailed(lock)) return lock;
  const started = await startLocked(settings, deps, lock.release).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  if (isFailed(started)) await lock.release();
  return started;
}

async function startLocked(settings: UpSettings, deps: RunnerDeps, unlock: () => Promise<void>): Promise<StartResult> {
  const { clock, say } = deps;
  const ports = await claimMeshPorts(settings, say);
  if (isFailed(ports)) return ports;
  await rm(join(settings.stateDir, "logs"), { recursive: true, force: true });
  await clearRuntime(settings.stateDir);
  const isolation = deps.isolation && (await isolate(settings, deps, deps.isolation, ports.xds));
  let podsOf = (): readonly LocalPod[] => [];
  const runtime = await createRuntimeDirectory(settings.stateDir, () => podsOf().map((pod) => pod.snapshot()));
  await runtime.publish();
  const { launcher } = deps;
  const { xds, admin } = ports;
  const controlPlane = startControlPlane({ settings, launcher, runtimeDir: runtime.path, xds, admin, clock, say });
  if (!(await controlPlane.waitUntilReady(CONTROL_PLANE_START_MS, deps.stopAsked))) {
    await controlPlane.stop();
    await isolation?.network.close();
    const log = join(settings.stateDir, "logs", "control-plane.log");
    return failed("control-plane-not-started", `The control plane did not start: see the messages above and ${log}.`);
  }
  const followed = await followMesh(
    settings,
    deps,
    { ports, runtime, controlPlane, isolation },
    (pods) => (podsOf = pods),
  );
  return {
    kind: "running",
    mesh: runningMesh({ settings, admin: reachedAt(admin), clock, controlPlane, ...followed, unlock }),
  };
}

interface StartedParts {
  readonly ports: MeshPorts;
  readonly runtime: RuntimeDirectory;
  readonly controlPlane: ControlPlaneProcess;
  readonly isolation: Isolation | undefined;
}

/** Watches the mesh directory and runs the pods that it asks for; `made` is told where they are found. */
async function followMesh(
  settings: UpSettings,
  deps: RunnerDeps,
  { ports, runtime, controlPlane, isolation }: StartedParts,
  made: (pods: () => readonly LocalPod[]) => void,
): Promise<Pick<MeshParts, "pods" | "watch" | "world" | "isolation">> {
  const { clock, say } = deps;
  const onChange = () =>
    void runtime.publish().catch((error: unknown) => say(`the runtime directory cannot be written: ${String(error)}`));
  const block = await claimAddressBlock(deps.random);
  const gatewayPorts = createGatewayPorts(ports.gateway, say, isolation && MACHINE_NETWORK);
  const createPods = (world: World): MeshPods =>
    createMeshPods(
      {
        factory: createFactory(world, settings, deps, { ports, block, isolation, onChange }),
        clock,
        say,
        onChange,
        publish: runtime.publish,
        acknowledged: (signal) => waitUntilAcknowledged(runtime, controlPlane, clock, signal),
      },
      gatewayPorts,
    );
  let pods: MeshPods | undefined;
  let latest: World | undefined;
  const watch = await deps.watchMesh(settings, (world) => {
    latest = world;
    // The first state tells the trust domain, which every pod is made with.
    if (pods === undefined) made((pods = createPods(world)).pods);
    pods.apply(world);
  });
  if (latest === undefined || pods === undefined) throw new Error("the mesh directory's first state is missing");
  return { pods, watch, isolation, world: () => latest as World };
}

/** What an earlier run left: pods that are gone, bootstraps with tokens that no longer count. */
async function clearRuntime(stateDir: string): Promise<void> {
  await mkdir(join(stateDir, "logs"), { recursive: true, mode: 0o700 });
  const runtime = join(stateDir, "runtime");
  for (const name of await readdir(runtime).catch(() => []))
    await rm(join(runtime, name), { recursive: true, force: true });
}

interface FactoryParts extends Pick<StartedParts, "ports" | "isolation"> {
  readonly block: AddressBlock;
  readonly onChange: () => void;
}

function createFactory(
  world: World,
  { stateDir, environment }: UpSettings,
  { envoyBinary, metricLabels, clock, say, random }: RunnerDeps,
  { ports, block, isolation, onChange }: FactoryParts,
): PodFactory {
  const mesh = {
    stateDir,
    controlPlane: {
      at: ports.xds,
      rootCertificateFile: join(stateDir, "ca", "root-cert.pem"),
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
    trustDomain: world.mesh.trustDomain,
    metricLabels,
    extraStatTags: world.mesh.extraStatTags,
  };
  return createPodFactory(
    isolation ? createIsolatedNetwork(block, existsSync("/proc/net/if_inet6")) : createLoopbackNetwork(block, random),
    {
      openSandbox: isolation
        ? createIsolatedSandboxes({ ...isolation, mesh, say })
        : createSharedSandboxes(envoyBinary, mesh),
      concurrency: world.mesh.defaultConcurrency ?? 1,
      stateDir,
      variables: environment.variables,
      clock,
      say,
      onChange,
    },
    random,
  );
}

/** What pods need that have networks of their own. */
interface Isolation {
  readonly programs: Programs;
  readonly network: MeshNetwork;
}

/** Makes the mesh a network of its own. */
async function isolate(
  { stateDir }: UpSettings,
  { envoyBinary, clock, say }: RunnerDeps,
  programs: Programs,
  xds: SocketAddress,
): Promise<Isolation> {
  const machine = MACHINE_NETWORK;
  return { programs, network: await openMeshNetwork({ programs, stateDir, envoyBinary, xds, machine, clock, say }) };
}

/**
 * Publishes the pods; true when every proxy has acknowledged a configuration made from them, false when that takes too
 * long.
 */
async function waitUntilAcknowledged(
  runtime: RuntimeDirectory,
  controlPlane: ControlPlaneProcess,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const revision = await runtime.publish();
  const deadline = clock.monotonicMs() + ACKNOWLEDGED_WITHIN_MS;
  while (!signal.aborted && clock.monotonicMs() < deadline) {
    const report = await controlPlane.syncReport();
    if (report?.acknowledged === true && report.runtimeRevision >= revision) return true;
    await clock.sleep(POLL_MS, signal).catch(() => undefined);
  }
  return false;
}

interface MeshParts {
  readonly settings: UpSettings;
  readonly admin: SocketAddress;
  readonly clock: Clock;
  readonly controlPlane: ControlPlaneProcess;
  readonly pods: MeshPods;
  readonly watch: { stop(): Promise<void> };
  readonly world: () => World;
  readonly isolation: Isolation | undefined;
  readonly unlock: () => Promise<void>;
}

function runningMesh(parts: MeshParts): RunningMesh {
  const { settings, admin, clock, controlPlane, pods, watch, world, isolation, unlock } = parts;
  return {
    admin,
    world,
    pods: () => pods.pods(),
    async waitUntilSynced(timeoutMs, signal) {
      const deadline = clock.monotonicMs() + timeoutMs;
      while (!signal.aborted && clock.monotonicMs() < deadline) {
        if (pods.isSettled() && (await controlPlane.syncReport())?.waiting.length === 0) return true;
        await clock.sleep(POLL_MS, signal).catch(() => undefined);
      }
      return false;
    },
    async stop() {
      await watch.stop();
      await pods.stop(STOP_GRACE_MS);
      await controlPlane.stop();
      await isolation?.network.close();
      await clearRuntime(settings.stateDir);
      await unlock();
    },
  };
}
