// The control plane alone, in a process of its own: `scrim serve`.
import { type ChildProcess, execFileSync, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { startChild } from "./children.ts";
import { request, scrim } from "./mesh.ts";
import type { ControlPlaneDirectories, ControlPlanePorts } from "./serve-settings.ts";
import { eventually } from "./until.ts";

export interface ServeOptions {
  /** Without a mesh the arguments say where it is. */
  readonly directories: Pick<ControlPlaneDirectories, "state"> & Partial<ControlPlaneDirectories>;
  readonly ports: ControlPlanePorts;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes; default nowhere. */
  readonly stdio?: StdioOptions;
}

export interface ServedMesh {
  readonly process: ChildProcess;
  /** The admin page's URL. */
  readonly admin: string;
  /** Waits until it serves proxies. */
  ready(): Promise<void>;
  /** Ends it and waits until it has ended. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Starts it; it may not serve yet. */
export function startServe({ directories, ports, args = [], env, stdio }: ServeOptions): ServedMesh {
  const { mesh, state, runtime, cache } = directories;
  const child = startChild(
    process.execPath,
    [
      ...[scrim, "serve", ...(mesh === undefined ? [] : [mesh]), "--state-dir", state],
      ...(runtime === undefined ? [] : ["--runtime", runtime]),
      ...["--xds-address", `127.0.0.1:${ports.xds}`, "--admin-address", `127.0.0.1:${ports.admin}`],
      ...args,
    ],
    {
      stdio: stdio ?? "ignore",
      env: { ...process.env, ...(cache !== undefined && { SCRIM_CACHE_DIR: cache }), ...env },
    },
  );
  const admin = `http://127.0.0.1:${ports.admin}`;
  return {
    process: child,
    admin,
    async ready() {
      await eventually("ready", async () => ((await request(`${admin}/ready`)).status === 200 ? true : undefined));
    },
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const isOver = once(child, "exit");
      child.kill(signal);
      await isOver;
    },
  };
}

/** The bootstrap, as text, that `scrim bootstrap` prints for an Envoy of one's own beside this control plane. */
export function bootstrapText(stateDirectory: string, xdsPort: number, args: readonly string[]): string {
  return execFileSync(
    process.execPath,
    [
      ...[scrim, "bootstrap", "--issue-token", "--state-dir", stateDirectory],
      ...["--xds-address", `127.0.0.1:${xdsPort}`, ...args],
    ],
    { encoding: "utf8" },
  );
}
