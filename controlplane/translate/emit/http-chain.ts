// consumes: the filters of one HTTP chain, by slot
// produces: Envoy's filters in the one order of the mesh
// never does: decide which filters there are (resolve/http-filters.ts does)
import type { HttpFilter } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { FunctionFilter, HttpFilters, WasmFilter } from "../ir/filters.ts";
import { CORS_FILTER } from "./cross-origin.ts";
import { buildForwardFilters } from "./dynamic-forward.ts";
import { FAULT_FILTER } from "./fault.ts";
import { type ChainEntry, type PlacedFilter, shareModules } from "./function-modules.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

export interface HttpChain {
  readonly direction: "inbound" | "outbound" | "gateway";
  readonly filters: HttpFilters;
  /** `forward`: requests for hosts that nobody declared may be sent to where their name leads. */
  readonly unknownHosts?: "forward" | "refuse";
}

/**
 * Returns the chain's filters in the order in which a request meets them. What a workload answers passes them
 * backwards.
 */
export function buildHttpFilters(chain: HttpChain): readonly HttpFilter[] {
  return [
    ...placesOf(chain).map((place) => (place.kind === "wasm" ? buildWasmPlace(place.filter) : place.filter)),
    routerFilter(),
  ];
}

/** Returns every Wasm filter of a chain: what must be delivered under the names that its places have. */
export function wasmFiltersOf(chain: HttpChain): readonly WasmFilter[] {
  return placesOf(chain).flatMap((place) => (place.kind === "wasm" ? [place.filter] : []));
}

/**
 * Telemetry counts at the end of a request wherever it stands. Outbound it stands where the route is settled (the fault
 * filter, which has per-route configuration, makes Envoy resolve it). Inbound it stands before all plugins, which need
 * not see what peers say of themselves, and beside the rate limit where it can: neither refuses a request when it
 * fails, so they can share a module.
 */
function placesOf({ direction, filters, unknownHosts }: HttpChain): readonly PlacedFilter[] {
  const inbound = direction === "inbound";
  const first = inbound && filters.pluginsAuthn.length + filters.pluginsAuthz.length > 0;
  const order: readonly (ChainEntry | undefined)[] = [
    filters.telemetry && native(grpcStatsFilter()),
    first ? runs(filters.telemetry) : undefined,
    ...filters.pluginsAuthn.map(plugin),
    ...filters.pluginsAuthz.map(plugin),
    ...(filters.nativeAuthorization ?? []).map(plugin),
    runs(filters.authorization),
    ...(filters.nativeRateLimit ? [plugin(filters.nativeRateLimit)] : []),
    runs(filters.rateLimit),
    inbound && !first ? runs(filters.telemetry) : undefined,
    ...filters.pluginsStats.map(plugin),
    ...filters.pluginsUnspecified.map(plugin),
    runs(filters.router), // before everything that has per-route configuration
    ...(inbound ? [] : [native(faultFilter()), native(corsFilter()), runs(filters.telemetry)]),
    ...(unknownHosts === "forward" ? buildForwardFilters().map(native) : []),
  ];
  return shareModules(
    order.filter((entry) => entry !== undefined),
    filters.meshModule,
  );
}

/**
 * Counts the messages of gRPC streams into filter state, where telemetry finds them at the end; other streams it leaves
 * alone.
 */
function grpcStatsFilter(): HttpFilter {
  return {
    name: "envoy.filters.http.grpc_stats",
    typedConfig: packAny("GrpcStatsFilterConfig", { emitFilterState: true, statsForAllMethods: false }),
  };
}

/** Returns Envoy's own router, the end of every chain. */
export function routerFilter(): HttpFilter {
  return { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) };
}

const runs = (filter: FunctionFilter | undefined): ChainEntry | undefined => filter && { kind: "function", filter };
const plugin = (filter: WasmFilter): ChainEntry => ({ kind: "plugin", filter });
const native = (filter: HttpFilter): ChainEntry => ({ kind: "native", filter });

/** Does nothing until a route says what, as the next. */
function faultFilter(): HttpFilter {
  return { name: FAULT_FILTER, typedConfig: packAny("HTTPFault", {}) };
}

function corsFilter(): HttpFilter {
  return { name: CORS_FILTER, typedConfig: packAny("Cors", {}) };
}
