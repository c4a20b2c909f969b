// The plugins that see the bytes of connections, in the order in which those meet them.
import type { Filter } from "../../../protos/build/envoy.ts";
import type { PluginSlots, WasmFilter } from "../ir/filters.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** Returns the places of a chain's plugins, around its authorization. */
export function withNetworkPlugins(
  plugins: PluginSlots | undefined,
  authorization: readonly Filter[] = [],
): readonly Filter[] {
  if (plugins === undefined) return authorization;
  const { pluginsAuthn, pluginsAuthz, pluginsStats, pluginsUnspecified } = plugins;
  return [
    ...[...pluginsAuthn, ...pluginsAuthz].map(buildWasmPlace),
    ...authorization,
    ...[...pluginsStats, ...pluginsUnspecified].map(buildWasmPlace),
  ];
}

/** Returns what is delivered to these places. */
export function pluginsOf(plugins: PluginSlots | undefined): readonly WasmFilter[] {
  if (plugins === undefined) return [];
  const { pluginsAuthn, pluginsAuthz, pluginsStats, pluginsUnspecified } = plugins;
  return [...pluginsAuthn, ...pluginsAuthz, ...pluginsStats, ...pluginsUnspecified];
}
