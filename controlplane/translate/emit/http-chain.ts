// consumes: the filters of one HTTP chain, by slot
// produces: Envoy's filters in the one order of the mesh
// never does: decide which filters there are (resolve/http-filters.ts does)
import type { HttpFilter } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { HttpFilters, WasmFilter } from "../ir/filters.ts";
import { buildForwardFilters } from "./dynamic-forward.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

export interface HttpChain {
  readonly direction: "inbound" | "outbound" | "gateway";
  readonly filters: HttpFilters;
  /** `forward`: requests for hosts that nobody declared may be sent to where their name leads. */
  readonly unknownHosts?: "forward" | "refuse";
}

/**
 * Returns the chain's filters in the order in which a request meets them. What a workload answers passes them backwards. Telemetry counts at the end
 * of a request wherever it stands; it stands first where it learns who the peer is, before anything refuses, and last where the route is settled.
 */
export function buildHttpFilters(chain: HttpChain): readonly HttpFilter[] {
  const { filters, direction } = chain;
  const inbound = direction === "inbound";
  const order: readonly (HttpFilter | undefined)[] = [
    inbound ? place(filters.telemetry) : undefined, // peer exchange
    ...filters.pluginsAuthn.map(buildWasmPlace),
    ...filters.pluginsAuthz.map(buildWasmPlace),
    place(filters.authorization),
    place(filters.rateLimit),
    ...filters.pluginsStats.map(buildWasmPlace),
    ...filters.pluginsUnspecified.map(buildWasmPlace),
    place(filters.router), // before everything that has per-route configuration
    inbound ? undefined : faultFilter(),
    inbound ? undefined : place(filters.telemetry),
    ...(chain.unknownHosts === "forward" ? buildForwardFilters() : []),
    routerFilter(),
  ];
  return order.filter((filter) => filter !== undefined);
}

/** Returns every Wasm filter of a chain: what must be delivered under the names that its places have. */
export function wasmFiltersOf(filters: HttpFilters): readonly WasmFilter[] {
  const { pluginsAuthn, pluginsAuthz, authorization, rateLimit, pluginsStats, pluginsUnspecified, router, telemetry } = filters;
  return [...pluginsAuthn, ...pluginsAuthz, authorization, rateLimit, ...pluginsStats, ...pluginsUnspecified, router, telemetry].filter((filter) => filter !== undefined);
}

/** Returns Envoy's own router, the end of every chain. */
export function routerFilter(): HttpFilter {
  return { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) };
}

function place(filter: WasmFilter | undefined): HttpFilter | undefined {
  return filter && buildWasmPlace(filter);
}

/** Does nothing until a route says what. */
function faultFilter(): HttpFilter {
  return { name: "envoy.filters.http.fault", typedConfig: packAny("HTTPFault", {}) };
}
