// consumes: the filters of a class of proxies
// produces: the configurations of its Wasm filters, by name; the same map for the same filters
// never does: look into a module: of its bytes only their hash counts
import type { TypedExtensionConfig } from "../../../protos/build/envoy.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import type { WasmFilter } from "../ir/filters.ts";
import type { ClassIr } from "../ir/proxy.ts";
import { type HttpChain, wasmFiltersOf } from "./http-chain.ts";
import { sorted } from "./resources.ts";
import { withoutBytes } from "./shared-filters.ts";
import { buildWasmExtension } from "./wasm-filter.ts";

interface Chains extends Pick<ClassIr, "inbound" | "capturedInbound" | "gatewayPorts"> {
  readonly outbound?: ClassIr["outbound"] | undefined;
}

/** Returns the configurations. */
export function extensionConfigsOf({ inbound, capturedInbound, gatewayPorts, outbound }: Chains) {
  return byParts(inbound, capturedInbound, gatewayPorts, outbound);
}

const byParts = memoized(
  (
    inbound: ClassIr["inbound"],
    capturedInbound: ClassIr["capturedInbound"],
    gatewayPorts: ClassIr["gatewayPorts"],
    outbound: ClassIr["outbound"],
  ) => {
    const found = new Map<string, TypedExtensionConfig>();
    for (const filter of wasmFilters({ inbound, capturedInbound, gatewayPorts, outbound }))
      if (!found.has(filter.name)) found.set(filter.name, extension(filter));
    return oneExtensionMap(sorted(found));
  },
);
const extension = interned(withoutBytes, buildWasmExtension);
/** Of classes with equal filters. */
const oneExtensionMap = internedMaps<TypedExtensionConfig>();

function wasmFilters({ outbound, inbound, capturedInbound, gatewayPorts }: Chains): readonly WasmFilter[] {
  const comingIn = [...inbound, ...(capturedInbound?.undeclared ?? [])];
  const chains: readonly HttpChain[] = [
    ...(outbound ? [{ direction: "outbound", filters: outbound.filters } as const] : []),
    ...comingIn.map(({ filters }) => ({ direction: "inbound", filters }) as const),
    ...gatewayPorts.map(({ filters }) => ({ direction: "gateway", filters }) as const),
  ];
  return [...chains.flatMap(wasmFiltersOf), ...comingIn.flatMap(({ tcpTelemetry }) => tcpTelemetry ?? [])];
}
