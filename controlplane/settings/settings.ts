// Consumes: the options of `scrim serve` and `scrim up`, as strings, and the environment.
// Produces: one frozen Settings for each, or the sentence that says which option is wrong.
// Never does: I/O.
import { resolve } from "node:path";
import { parseDurationMs } from "../model/duration.ts";
import { readOutboundProxies } from "../model/outbound-proxy.ts";
import type { LogLevel } from "../telemetry/logger.ts";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.ts";
import { parseAddress } from "./address.ts";
import type { Environment } from "./environment.ts";
import { type FetchOptions, type FetchSettings, readFetchOptions } from "./fetch-options.ts";

export const DEFAULT_ADMIN_PORT = 15_014;
export const DEFAULT_XDS_PORT = 15_012;

/** What the control plane is started with. */
export interface ServeSettings extends FetchSettings {
  readonly directory: string;
  /** Where `scrim up` keeps the pods and identities it made; undefined when the control plane runs alone. */
  readonly runtimeDir: string | undefined;
  readonly stateDir: string;
  readonly xdsAddress: SocketAddress;
  readonly adminAddress: SocketAddress;
  /** Refuse deprecated spellings instead of warning. */
  readonly strict: boolean;
  /** Take an emptied directory at its word. */
  readonly allowEmpty: boolean;
  /** How long a workload's certificate is valid; undefined: the authority's default. */
  readonly workloadLifetimeMs: number | undefined;
  readonly cacheDir: string;
  readonly logLevel: LogLevel;
  /** Port of plaintext xDS on 127.0.0.1; undefined: there is none. */
  readonly plaintextXdsPort?: number | undefined;
  /** Where an Envoy is looked for that tries what proxies rejected; undefined: nowhere. */
  readonly envoySearch?: EnvoySearch | undefined;
}

/** The operator's word on which Envoy to use: `ENVOY_PATH`, then `PATH`, then the cache. */
export interface EnvoySearch {
  readonly envoyPath: string | undefined;
  readonly searchPath: string | undefined;
  readonly cacheDir: string;
}

/** What `scrim up` is started with. A port is undefined when it was not asked for: then a default gives way. */
export interface UpSettings {
  readonly directory: string;
  readonly stateDir: string;
  readonly gatewayPort: number | undefined;
  readonly adminPort: number | undefined;
  /** Of plaintext xDS on 127.0.0.1; undefined: there is none. */
  readonly plaintextXdsPort: number | undefined;
  readonly strict: boolean;
  readonly allowEmpty: boolean;
  /** As given, for the control plane to read. */
  readonly certificateLifetime: string | undefined;
  /** As given, for the control plane to read. */
  readonly fetch: FetchOptions;
  readonly environment: Environment;
}

export type SettingsResult<T> =
  | { readonly kind: "settings"; readonly settings: T }
  | { readonly kind: "refused"; readonly message: string };

export interface ServeOptions extends FetchOptions {
  readonly runtime?: string;
  readonly stateDir?: string;
  readonly xdsAddress?: string;
  readonly xdsPort?: string;
  readonly adminAddress?: string;
  readonly strict?: boolean;
  readonly allowEmpty?: boolean;
  readonly certificateLifetime?: string;
}

/** Returns the settings of `scrim serve DIRECTORY`. */
export function readServeSettings(
  directory: string,
  options: ServeOptions,
  environment: Environment,
): SettingsResult<ServeSettings> {
  const xdsText = options.xdsAddress ?? formatSocketAddress({ address: "127.0.0.1", port: DEFAULT_XDS_PORT });
  const adminText = options.adminAddress ?? formatSocketAddress({ address: "127.0.0.1", port: DEFAULT_ADMIN_PORT });
  const [xdsAddress, adminAddress] = [parseAddress(xdsText), parseAddress(adminText)];
  if (!xdsAddress) return { kind: "refused", message: `--xds-address ${xdsText} is not an address: write HOST:PORT.` };
  if (!adminAddress)
    return { kind: "refused", message: `--admin-address ${adminText} is not an address: write HOST:PORT.` };
  const refusedPort = refusePort("--xds-port", options.xdsPort);
  if (refusedPort) return refusedPort;
  const workloadLifetimeMs = readLifetime(options.certificateLifetime);
  if (workloadLifetimeMs === "refused") return refuseLifetime(options.certificateLifetime);
  const fetch = readFetchOptions(options, options.runtime !== undefined);
  if (fetch.kind === "refused") return fetch;
  return {
    kind: "settings",
    settings: Object.freeze({
      directory: resolve(directory),
      runtimeDir: options.runtime === undefined ? undefined : resolve(options.runtime),
      stateDir: stateDirectory(directory, options.stateDir),
      xdsAddress,
      adminAddress,
      strict: options.strict ?? false,
      allowEmpty: options.allowEmpty ?? false,
      ...fetch.settings,
      proxies: readOutboundProxies(environment.variables),
      workloadLifetimeMs,
      cacheDir: environment.cacheDir,
      logLevel: environment.logLevel,
      plaintextXdsPort: options.xdsPort === undefined ? undefined : parsePort(options.xdsPort),
      envoySearch: {
        envoyPath: environment.envoyPath,
        searchPath: environment.searchPath,
        cacheDir: environment.cacheDir,
      },
    }),
  };
}

export interface UpOptions extends FetchOptions {
  readonly gatewayPort?: string;
  readonly adminPort?: string;
  readonly xdsPort?: string;
  readonly stateDir?: string;
  readonly strict?: boolean;
  readonly allowEmpty?: boolean;
  readonly certificateLifetime?: string;
}

/** Returns the settings of `scrim up DIRECTORY`. */
export function readUpSettings(
  directory: string,
  options: UpOptions,
  environment: Environment,
): SettingsResult<UpSettings> {
  for (const [name, text] of [
    ["--gateway-port", options.gatewayPort],
    ["--admin-port", options.adminPort],
    ["--xds-port", options.xdsPort],
  ] as const) {
    const refused = refusePort(name, text);
    if (refused) return refused;
  }
  if (readLifetime(options.certificateLifetime) === "refused") return refuseLifetime(options.certificateLifetime);
  const fetch = readFetchOptions(options, true);
  if (fetch.kind === "refused") return fetch;
  return {
    kind: "settings",
    settings: Object.freeze({
      directory: resolve(directory),
      stateDir: stateDirectory(directory, options.stateDir),
      gatewayPort: options.gatewayPort === undefined ? undefined : parsePort(options.gatewayPort),
      adminPort: options.adminPort === undefined ? undefined : parsePort(options.adminPort),
      plaintextXdsPort: options.xdsPort === undefined ? undefined : parsePort(options.xdsPort),
      strict: options.strict ?? false,
      allowEmpty: options.allowEmpty ?? false,
      certificateLifetime: options.certificateLifetime,
      fetch: { allowFetchFrom: options.allowFetchFrom ?? [], plainRegistry: options.plainRegistry ?? [] },
      environment,
    }),
  };
}

function refusePort(
  name: string,
  text: string | undefined,
): { readonly kind: "refused"; readonly message: string } | undefined {
  if (text === undefined || parsePort(text) !== undefined) return undefined;
  return { kind: "refused", message: `${name} ${text} is not a port: write a number from 0 (any free port) to 65535.` };
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return port <= 65_535 ? port : undefined;
}

/**
 * `.scrim/` stands beside the mesh directory; two meshes side by side in one folder need `--state-dir` for one of them.
 */
function stateDirectory(directory: string, given: string | undefined): string {
  return given === undefined ? resolve(directory, "..", ".scrim") : resolve(given);
}

const LONGEST_LIFETIME_MS = 7 * 24 * 3_600_000;
const SHORTEST_LIFETIME_MS = 10_000;

function readLifetime(text: string | undefined): number | undefined | "refused" {
  if (text === undefined) return undefined;
  const lifetimeMs = parseDurationMs(text);
  return lifetimeMs !== undefined && lifetimeMs >= SHORTEST_LIFETIME_MS && lifetimeMs <= LONGEST_LIFETIME_MS
    ? lifetimeMs
    : "refused";
}

function refuseLifetime(text: string | undefined): { readonly kind: "refused"; readonly message: string } {
  return {
    kind: "refused",
    message: `--certificate-lifetime ${text} is not a lifetime: write a duration from 10s to 168h.`,
  };
}
