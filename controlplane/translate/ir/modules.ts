// The filter modules at hand when a proxy is resolved: an input beside the World, since fetching them is I/O.
import type { WasmFilter, WasmModule } from "./filters.ts";

export type BuiltinFilter = "authz" | "ratelimit" | "router" | "telemetry";

export interface PluginModules {
  /** The module of one of Scrim's own filters. */
  builtin(name: BuiltinFilter): WasmModule;
  /** What became of a WasmPlugin's module: the last good one, or why there is none. */
  plugin(namespace: string, name: string): WasmFilter["module"];
}
