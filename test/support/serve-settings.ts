// The settings of `scrim serve`, for control planes that tests and benches start from its own code.
import type { DirectorySource, ServeSettings } from "../../controlplane/settings/settings.ts";
import { freePort } from "./ports.ts";

export interface ControlPlanePorts {
  readonly xds: number;
  readonly admin: number;
}

/** The directories of a control plane. */
export interface ControlPlaneDirectories {
  readonly mesh: string;
  readonly runtime: string;
  readonly state: string;
  readonly cache: string;
}

/** Two ports that nobody listens on. */
export async function freePorts(): Promise<ControlPlanePorts> {
  const [xds, admin] = await Promise.all([freePort(), freePort()]);
  return { xds, admin };
}

/** The settings that `scrim serve` has unless told otherwise. */
export function serveSettings(
  directories: ControlPlaneDirectories,
  ports: ControlPlanePorts,
  more: Pick<ServeSettings, "logLevel"> & Partial<Omit<ServeSettings, keyof DirectorySource>>,
): ServeSettings {
  return {
    directory: directories.mesh,
    runtimeDir: directories.runtime,
    stateDir: directories.state,
    cacheDir: directories.cache,
    strict: false,
    quiet: false,
    allowEmpty: false,
    workloadLifetimeMs: undefined,
    allowFetchFrom: [],
    plainRegistries: [],
    xdsAddress: { address: "127.0.0.1", port: ports.xds },
    adminAddress: { address: "127.0.0.1", port: ports.admin },
    ...more,
  };
}
