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
import { pluginsOf } from "./network-plugins.ts";
import { buildWasmExtension } from "./wasm-filter.ts";

interface Chains extends Pick<ClassIr, "inbound" | "capturedInbound" | "gatewayPorts"> {
  readonly outbound?: ClassIr["outbound"] | undefined;
  readonly capturedOutbound?: ClassIr["capturedOutbound"] | undefined;
}

/** Returns the configurations. */
export function extensionConfigsOf(chains: Chains) {
  const { inbound, capturedInbound, gatewayPorts, outbound, capturedOutbound } = chains;
  return byParts(inbound, capturedInbound, gatewayPorts, outbound, capturedOutbound);
}

const byParts = memoized(
  (
    inbound: ClassIr["inbound"],
    capturedInbound: ClassIr["capturedInbound"],
    gatewayPorts: ClassIr["gatewayPorts"],
    outbound: ClassIr["outbound"],
    capturedOutbound: ClassIr["capturedOutbound"],
  ) => {
    const found = new Map<string, TypedExtensionConfig>();
    for (const filter of wasmFilters({ inbound, capturedInbound, gatewayPorts, outbound, capturedOutbound }))
      if (!found.has(filter.name)) found.set(filter.name, extension(filter));
    return oneExtensionMap(sorted(found));
  },
);
const extension = interned(withoutBytes, buildWasmExtension);
/** Of classes with equal filters. */
const oneExtensionMap = internedMaps<TypedExtensionConfig>();

function wasmFilters(chains: Chains): readonly WasmFilter[] {
  const { outbound, capturedOutbound, inbound, capturedInbound, gatewayPorts } = chains;
  const comingIn = [...inbound, ...(capturedInbound?.undeclared ?? [])];
  const goingOut = [
    ...(outbound ? [outbound.filters] : []),
    ...(capturedOutbound?.filters ?? []).map(({ http }) => http),
  ];
  const http: readonly HttpChain[] = [
    ...goingOut.map((filters) => ({ direction: "outbound", filters }) as const),
    ...comingIn.map(({ filters }) => ({ direction: "inbound", filters }) as const),
    ...gatewayPorts.map(({ filters }) => ({ direction: "gateway", filters }) as const),
  ];
  const network = [...comingIn, ...(capturedOutbound?.filters ?? []), ...gatewayPorts];
  const tcp = [
    ...network.flatMap(({ networkPlugins }) => pluginsOf(networkPlugins)),
    ...comingIn.map(({ tcpTelemetry }) => tcpTelemetry),
    capturedOutbound?.tcpTelemetry,
    ...gatewayPorts.map(({ connections }) => connections?.telemetry),
  ];
  return [...http.flatMap(wasmFiltersOf), ...tcp.filter((filter) => filter !== undefined)];
}
