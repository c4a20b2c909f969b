// What the live Envoy of the swaps is served: one listener whose filters come by ECDS, as the mesh delivers plugins and
// its own functions.
import { createHash } from "node:crypto";
import { emptyResources, type EnvoyResources } from "../../controlplane/translate/emit/resources.ts";
import { buildWasmExtension, buildWasmPlace } from "../../controlplane/translate/emit/wasm-filter.ts";
import type { WasmFilter } from "../../controlplane/translate/ir/filters.ts";
import { packAny } from "../../protos/codec.ts";

export const LISTENER = "swapped";
/** Requests to this path take from a bucket that regains nothing while the bench runs. */
export const QUOTA_PATH = "/quota";
const PLUGIN = "extensions.istio.io/wasmplugin/default.version";
const LIMIT = "scrim.ratelimit";

/** The parts of the chain, and where open streams lead. */
export interface Swapped {
  readonly versionModule: Uint8Array;
  readonly ratelimitModule: Uint8Array;
  /** Tokens in the bucket of QUOTA_PATH. */
  readonly quota: number;
  readonly grpcPort: number;
  readonly webSocketPort: number;
}

/** How often the rate limit gets a new version together with the plugin: its module is thirty times as large. */
const LIMIT_EVERY = 5;

/** Whether version `number` is one of both filters. */
export const changesLimit = (number: number): boolean => number % LIMIT_EVERY === 0;

/**
 * Returns the resources of version `number`: other bytes for each filter that changes, and for the plugin another
 * configuration.
 */
export function resourcesOf(parts: Swapped, number: number): EnvoyResources {
  const filters = [limitOf(parts, `v${number - (number % LIMIT_EVERY)}`), pluginOf(parts.versionModule, `v${number}`)];
  const resources = emptyResources();
  resources.listeners.set(LISTENER, {
    name: LISTENER,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typedConfig: managerOf(filters) }] },
    ],
  });
  for (const filter of filters) resources.extensionConfigs.set(filter.name, buildWasmExtension(filter));
  resources.clusters.set("grpc", upstreamOf("grpc", parts.grpcPort, true));
  resources.clusters.set("websocket", upstreamOf("websocket", parts.webSocketPort, false));
  return resources;
}

function managerOf(filters: readonly WasmFilter[]) {
  const noTimeout = { timeout: { seconds: 0 } } as const;
  const routes = [
    { match: { prefix: "/grpc/" }, route: { cluster: "grpc", ...noTimeout } },
    { match: { prefix: "/ws" }, route: { cluster: "websocket", ...noTimeout } },
    { match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } },
  ];
  return packAny("HttpConnectionManager", {
    statPrefix: "bench",
    generateRequestId: false,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    routeConfig: { name: "bench", virtualHosts: [{ name: "all", domains: ["*"], routes }] },
    httpFilters: [
      ...filters.map(buildWasmPlace),
      { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) },
    ],
  });
}

function upstreamOf(name: string, portValue: number, http2: boolean) {
  return {
    name,
    type: "STATIC" as const,
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue } } } }] }],
    },
    circuitBreakers: { thresholds: [{ maxConnections: 10_000, maxRequests: 10_000, maxPendingRequests: 10_000 }] },
    ...(http2 && {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packAny("HttpProtocolOptions", {
          explicitHttpConfig: { http2ProtocolOptions: {} },
        }),
      },
    }),
  };
}

const common = { environment: {}, hostEnvironment: [] } as const;

function pluginOf(module: Uint8Array, version: string): WasmFilter {
  return {
    ...common,
    name: PLUGIN,
    rootId: "",
    vmId: "",
    configuration: version,
    failureMode: "closed",
    module: { kind: "module", module: versioned(module, version) },
  };
}

/** The rate limit as the mesh has it: its VM's id is the same in all versions, so its buckets are too. */
function limitOf({ ratelimitModule, quota }: Swapped, version: string): WasmFilter {
  const configuration = JSON.stringify({
    limits: [
      { name: "quota", match: { paths: [QUOTA_PATH] }, tokens: quota, intervalMs: 86_400_000 * 30, burst: quota },
    ],
  });
  return {
    ...common,
    name: LIMIT,
    rootId: LIMIT,
    vmId: LIMIT,
    configuration,
    failureMode: "closed",
    module: { kind: "module", module: versioned(ratelimitModule, version) },
  };
}

/** The module with one more custom section: the same code, and yet another module to everyone who loads it. */
function versioned(module: Uint8Array, text: string): { readonly bytes: Uint8Array; readonly sha256: string } {
  const content = [5, ...Buffer.from("bench"), ...Buffer.from(text)];
  const bytes = Buffer.concat([module, Buffer.from([0, content.length, ...content])]);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}
