// The control plane as a child of `scrim up`: started again when it ends, asked over its admin address.
import { join } from "node:path";
import type { SyncReport } from "../admin/contract.ts";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.ts";
import { reachedAt } from "../settings/address.ts";
import type { UpSettings } from "../settings/settings.ts";
import type { Clock } from "../telemetry/clock.ts";
import { describeExit, startChild } from "./child-process.ts";
import { httpCall } from "./http-call.ts";
import { type Supervised, supervise } from "./supervise.ts";

export interface ControlPlaneProcess {
  pid(): number | undefined;
  /**
   * Resolves to true when it is ready, to false when it ended before it ever was, the time is over, or `signal` says
   * so.
   */
  waitUntilReady(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** What GET /synced says now; undefined when it does not answer. */
  syncReport(): Promise<SyncReport | undefined>;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly settings: UpSettings;
  /** The launcher by which this process was started. */
  readonly launcher: string;
  readonly runtimeDir: string;
  readonly xds: SocketAddress;
  readonly admin: SocketAddress;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

const POLL_MS = 50;

/** Starts `scrim serve` for the mesh directory and keeps it running. */
export function startControlPlane(options: ControlPlaneOptions): ControlPlaneProcess {
  const { settings, admin, clock, say } = options;
  const logFile = join(settings.stateDir, "logs", "control-plane.log");
  let everReady = false;
  let failedEarly = false;
  const command = {
    command: process.execPath,
    args: [options.launcher, ...serveArguments(options)],
    cwd: process.cwd(),
    env: settings.environment.variables,
    stdout: logFile,
    // Problems in the mesh's documents are told on standard error, which people see; the log is for machines.
    stderr: "inherit",
  } as const;
  const child: Supervised = supervise({
    start: () => startChild(command),
    onCrash(exit, restartInMs) {
      if (!everReady) failedEarly = true;
      const inSeconds = (restartInMs / 1_000).toFixed(2);
      say(`the control plane ${describeExit(exit)}; starting it again in ${inSeconds} s (log: ${logFile})`);
    },
    clock,
  });
  const { address: host, port } = reachedAt(admin);
  const ask = (path: string) => httpCall({ host, port, path, timeoutMs: 2_000 });
  return {
    pid: child.pid,
    async waitUntilReady(timeoutMs, signal) {
      const deadline = clock.monotonicMs() + timeoutMs;
      while (!failedEarly && !signal.aborted && clock.monotonicMs() < deadline) {
        if ((await ask("/ready")).status === 200) return (everReady = true);
        await clock.sleep(POLL_MS);
      }
      return false;
    },
    async syncReport() {
      const answer = await ask("/synced");
      return answer.status === 200 || answer.status === 503 ? parseReport(answer.body) : undefined;
    },
    stop: () => child.stop(5_000),
  };
}

function serveArguments({ settings, runtimeDir, xds, admin }: ControlPlaneOptions): string[] {
  return [
    "serve",
    settings.directory,
    "--runtime",
    runtimeDir,
    "--state-dir",
    settings.stateDir,
    "--xds-address",
    formatSocketAddress(xds),
    "--admin-address",
    formatSocketAddress(admin),
    ...(settings.plaintextXdsPort === undefined ? [] : ["--xds-port", String(settings.plaintextXdsPort)]),
    ...(settings.quiet ? ["--quiet"] : []),
    ...(settings.strict ? ["--strict"] : []),
    ...(settings.allowEmpty ? ["--allow-empty"] : []),
    ...(settings.certificateLifetime === undefined ? [] : ["--certificate-lifetime", settings.certificateLifetime]),
    ...(settings.fetch.allowFetchFrom ?? []).flatMap((range) => ["--allow-fetch-from", range]),
    ...(settings.fetch.plainRegistry ?? []).flatMap((registry) => ["--plain-registry", registry]),
  ];
}

function parseReport(text: string): SyncReport | undefined {
  try {
    return JSON.parse(text) as SyncReport;
  } catch {
    return undefined;
  }
}
