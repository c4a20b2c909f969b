// consumes: the filters of a proxy
// produces: the configurations of its Wasm filters, by name; the same map for the same filters
// never does: look into a module: of its bytes only their hash counts
import type { TypedExtensionConfig } from "../../../protos/build/envoy.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import type { WasmFilter } from "../ir/filters.ts";
import type { ProxyIr } from "../ir/proxy.ts";
import { type HttpChain, wasmFiltersOf } from "./http-chain.ts";
import { sorted } from "./resources.ts";
import { withNumberedFilters, withoutBytes } from "./shared-filters.ts";
import { buildWasmExtension } from "./wasm-filter.ts";

interface Chains extends Pick<ProxyIr, "inbound" | "gatewayPorts"> {
  readonly outbound: ProxyIr["outbound"];
}

/** Returns the configurations. */
export function extensionConfigsOf({ inbound, gatewayPorts, outbound }: ProxyIr) {
  return byParts(inbound, gatewayPorts, outbound);
}

const byParts = memoized(
  (inbound: ProxyIr["inbound"], gatewayPorts: ProxyIr["gatewayPorts"], outbound: ProxyIr["outbound"]) =>
    byContent({ inbound, gatewayPorts, outbound }),
);

const byContent = interned(contentOf, (chains: Chains): ReadonlyMap<string, TypedExtensionConfig> => {
  const found = new Map<string, TypedExtensionConfig>();
  for (const filter of wasmFilters(chains)) if (!found.has(filter.name)) found.set(filter.name, extension(filter));
  return oneExtensionMap(sorted(found));
});
const oneExtensionMap = internedMaps<TypedExtensionConfig>();
const extension = interned(withoutBytes, buildWasmExtension);

function contentOf({ outbound, inbound, gatewayPorts }: Chains): string {
  return withNumberedFilters([
    outbound?.filters,
    inbound.map(({ filters, tcpTelemetry }) => [filters, tcpTelemetry]),
    gatewayPorts.map(({ filters }) => filters),
  ]);
}

function wasmFilters({ outbound, inbound, gatewayPorts }: Chains): readonly WasmFilter[] {
  const chains: readonly HttpChain[] = [
    ...(outbound ? [{ direction: "outbound", filters: outbound.filters } as const] : []),
    ...inbound.map(({ filters }) => ({ direction: "inbound", filters }) as const),
    ...gatewayPorts.map(({ filters }) => ({ direction: "gateway", filters }) as const),
  ];
  return [...chains.flatMap(wasmFiltersOf), ...inbound.flatMap(({ tcpTelemetry }) => tcpTelemetry ?? [])];
}
