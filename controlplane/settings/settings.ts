// Consumes: the options of `scrim serve` and `scrim up`, as strings, and the environment.
// Produces: one frozen Settings for each, or the sentence that says which option is wrong.
// Never does: I/O.
import { resolve } from "node:path";
import { parseDurationMs } from "../model/duration.ts";
import { type Failure, failed, isFailed } from "../model/failure.ts";
import type { ListenAddress } from "../model/socket-address.ts";
import { readOutboundProxies } from "../model/outbound-proxy.ts";
import type { LogLevel } from "../telemetry/logger.ts";
import {
  type AdminOptions,
  type AskedAddress,
  isLoopback,
  readAddress,
  readAdminAddress,
  readPort,
  reachedAt,
} from "./address.ts";
import { type ClusterAccess, type ClusterAccessOptions, readClusterAccess } from "./cluster-access.ts";
import type { Environment } from "./environment.ts";
import { type FetchOptions, type FetchSettings, readFetchOptions } from "./fetch-options.ts";

export const DEFAULT_ADMIN_PORT = 15_014;
export const DEFAULT_XDS_PORT = 15_012;
const DEFAULT_WEBHOOK_PORT = 15_017;

/** What `scrim serve` and `scrim up` both take. */
interface MeshSettings {
  readonly stateDir: string;
  /** Refuse deprecated spellings instead of warning. */
  readonly strict: boolean;
  /** Nothing is said of changes that were taken up. */
  readonly quiet: boolean;
  /** Take an emptied directory at its word. */
  readonly allowEmpty: boolean;
  /** Port of plaintext xDS on 127.0.0.1; undefined: there is none. */
  readonly plaintextXdsPort?: number | undefined;
}

/** Where the mesh's documents are. */
export type MeshSource = DirectorySource | ClusterSource;

/** A directory of files. */
export interface DirectorySource {
  readonly directory: string;
  /** Where `scrim up` keeps the pods and identities it made; undefined when the control plane runs alone. */
  readonly runtimeDir: string | undefined;
  readonly cluster?: undefined;
}

/** The API server of a cluster. */
export interface ClusterSource {
  readonly cluster: ClusterSettings;
  readonly directory?: undefined;
  readonly runtimeDir?: undefined;
}

export interface ClusterSettings {
  readonly access: ClusterAccess;
  /** The control plane's own; undefined: that of the pod that this runs in. */
  readonly namespace: string | undefined;
  /** "default" for the one without a name. */
  readonly revision: string;
  /** What pods' tokens for the mesh are made for. */
  readonly tokenAudience: string;
  /** Where the API server's questions are answered; undefined: nowhere. */
  readonly webhookAddress: ListenAddress | undefined;
}

/** What the control plane is started with. */
export type ServeSettings = ControlPlaneSettings & MeshSource;

interface ControlPlaneSettings extends MeshSettings, FetchSettings {
  readonly xdsAddress: ListenAddress;
  readonly adminAddress: ListenAddress;
  /** How long a workload's certificate is valid; undefined: the authority's default. */
  readonly workloadLifetimeMs: number | undefined;
  readonly cacheDir: string;
  readonly logLevel: LogLevel;
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
export interface UpSettings extends MeshSettings {
  readonly directory: string;
  readonly gatewayPort: number | undefined;
  /** Each pod has a network of its own, and the kernel brings its connections to its sidecar. */
  readonly isolate: boolean;
  /** Where the admin pages are asked for; undefined: at a default. */
  readonly admin: AskedAddress | undefined;
  /** As given, for the control plane to read. */
  readonly certificateLifetime: string | undefined;
  /** As given, for the control plane to read. */
  readonly fetch: FetchOptions;
  readonly environment: Environment;
}

export type SettingsResult<T> = { readonly kind: "settings"; readonly settings: T } | Failure<"usage">;

interface MeshOptions extends FetchOptions, AdminOptions {
  readonly xdsPort?: string;
  readonly stateDir?: string;
  readonly strict?: boolean;
  readonly quiet?: boolean;
  readonly allowEmpty?: boolean;
  readonly certificateLifetime?: string;
}

export interface ServeOptions extends MeshOptions, ClusterAccessOptions {
  readonly runtime?: string;
  readonly xdsAddress?: string;
  readonly kubernetes?: boolean;
  readonly namespace?: string;
  readonly revision?: string;
  readonly tokenAudience?: string;
  readonly webhookAddress?: string;
}

/** Returns the settings of `scrim serve DIRECTORY`, and of `scrim serve --kubernetes`. */
export function readServeSettings(
  directory: string | undefined,
  options: ServeOptions,
  environment: Environment,
): SettingsResult<ServeSettings> {
  const source = readMeshSource(directory, options, environment);
  if (isFailed(source)) return source;
  const xdsAddress = readAddress("--xds-address", options.xdsAddress ?? `127.0.0.1:${DEFAULT_XDS_PORT}`);
  if (isFailed(xdsAddress)) return xdsAddress;
  // Beside a cluster's API server nothing is kept but what is kept of the mesh.
  const shared = readMeshSettings(directory ?? "mesh", options, options.runtime !== undefined);
  if (isFailed(shared)) return shared;
  const { admin, mesh, fetch, workloadLifetimeMs } = shared;
  const { variables, cacheDir, logLevel, envoyPath, searchPath } = environment;
  return {
    kind: "settings",
    settings: Object.freeze({
      ...mesh,
      ...source,
      xdsAddress,
      adminAddress: admin ?? { address: "127.0.0.1", port: DEFAULT_ADMIN_PORT, option: "--admin-address" },
      ...fetch,
      proxies: readOutboundProxies(variables),
      workloadLifetimeMs,
      cacheDir,
      logLevel,
      envoySearch: { envoyPath, searchPath, cacheDir },
    }),
  };
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const ONLY_OF_CLUSTERS = ["kubeconfig", "context", "namespace", "revision", "tokenAudience", "webhookAddress"] as const;

function readMeshSource(
  directory: string | undefined,
  options: ServeOptions,
  environment: Environment,
): MeshSource | Failure<"usage"> {
  const { kubernetes = false, runtime, namespace, tokenAudience = "istio-ca" } = options;
  // Who has no name says so in a chart by an empty one.
  const revision = options.revision || "default";
  if (kubernetes === (directory !== undefined))
    return failed("usage", "the mesh's objects are in a directory or, with --kubernetes, in a cluster: say which one.");
  if (directory !== undefined) {
    const other = ONLY_OF_CLUSTERS.find((name) => options[name] !== undefined);
    if (other !== undefined)
      return failed("usage", `--${spelled(other)} says something of a cluster: it goes with --kubernetes.`);
    return { directory: resolve(directory), runtimeDir: runtime === undefined ? undefined : resolve(runtime) };
  }
  if (runtime !== undefined)
    return failed("usage", "--runtime goes with a directory: a cluster tells of its pods itself.");
  for (const [option, name] of Object.entries({ namespace, revision }))
    if (name !== undefined && !NAME.test(name))
      return failed("usage", `--${option} ${name} is no name: write small letters, digits and hyphens.`);
  const access = readClusterAccess(options, environment);
  const isInCluster = access.kind === "in-cluster";
  // Outside of it no API server finds us.
  const asked = options.webhookAddress ?? (isInCluster ? `0.0.0.0:${DEFAULT_WEBHOOK_PORT}` : undefined);
  const webhookAddress = asked === undefined ? undefined : readAddress("--webhook-address", asked);
  if (webhookAddress !== undefined && isFailed(webhookAddress)) return webhookAddress;
  // From outside of the cluster, Istio's own: whatever a kubeconfig calls the usual one is meant for applications.
  const own = namespace ?? (isInCluster ? undefined : "istio-system");
  return { cluster: { access, namespace: own, revision, tokenAudience, webhookAddress } };
}

/** An option as people write it: `webhookAddress` is `--webhook-address`. */
function spelled(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export interface UpOptions extends MeshOptions {
  readonly gatewayPort?: string;
  readonly isolate?: boolean;
}

/** Returns the settings of `scrim up DIRECTORY`. */
export function readUpSettings(
  directory: string,
  options: UpOptions,
  environment: Environment,
): SettingsResult<UpSettings> {
  const gateway = readPort("--gateway-port", options.gatewayPort);
  if (gateway && isFailed(gateway)) return gateway;
  const shared = readMeshSettings(directory, options, true);
  if (isFailed(shared)) return shared;
  const { admin, mesh } = shared;
  if (admin && !isLoopback(reachedAt(admin).address))
    return failed(
      "usage",
      `${admin.option} ${admin.address}: \`scrim up\` reads the admin pages itself, from this machine: ` +
        "give an address of 127.0.0.0/8, or 0.0.0.0, which is all addresses.",
    );
  return {
    kind: "settings",
    settings: Object.freeze({
      ...mesh,
      directory: resolve(directory),
      gatewayPort: gateway?.port,
      isolate: options.isolate ?? false,
      admin,
      certificateLifetime: options.certificateLifetime,
      fetch: { allowFetchFrom: options.allowFetchFrom ?? [], plainRegistry: options.plainRegistry ?? [] },
      environment,
    }),
  };
}

interface SharedSettings {
  readonly kind: "shared";
  readonly mesh: MeshSettings;
  readonly admin: AskedAddress | undefined;
  readonly fetch: FetchSettings;
  readonly workloadLifetimeMs: number | undefined;
}

/** Reads what both commands take; `local`: the mesh runs on this machine. */
function readMeshSettings(directory: string, options: MeshOptions, local: boolean): SharedSettings | Failure<"usage"> {
  const admin = readAdminAddress(options);
  if (admin && isFailed(admin)) return admin;
  const plaintext = readPort("--xds-port", options.xdsPort);
  if (plaintext && isFailed(plaintext)) return plaintext;
  const lifetime = readLifetime(options.certificateLifetime);
  if (isFailed(lifetime)) return lifetime;
  const fetch = readFetchOptions(options, local);
  if (isFailed(fetch)) return fetch;
  const mesh = {
    stateDir: stateDirectory(directory, options.stateDir),
    strict: options.strict ?? false,
    quiet: options.quiet ?? false,
    allowEmpty: options.allowEmpty ?? false,
    plaintextXdsPort: plaintext?.port,
  };
  return { kind: "shared", mesh, admin, fetch: fetch.settings, workloadLifetimeMs: lifetime.workloadLifetimeMs };
}

/**
 * `.scrim/` stands beside the mesh directory; two meshes side by side in one folder need `--state-dir` for one of them.
 */
function stateDirectory(directory: string, given: string | undefined): string {
  return given === undefined ? resolve(directory, "..", ".scrim") : resolve(given);
}

const LONGEST_LIFETIME_MS = 7 * 24 * 3_600_000;
const SHORTEST_LIFETIME_MS = 10_000;

function readLifetime(text: string | undefined): Pick<SharedSettings, "workloadLifetimeMs"> | Failure<"usage"> {
  if (text === undefined) return { workloadLifetimeMs: undefined };
  const lifetimeMs = parseDurationMs(text);
  return lifetimeMs !== undefined && lifetimeMs >= SHORTEST_LIFETIME_MS && lifetimeMs <= LONGEST_LIFETIME_MS
    ? { workloadLifetimeMs: lifetimeMs }
    : failed("usage", `--certificate-lifetime ${text} is not a lifetime: write a duration from 10s to 168h.`);
}
