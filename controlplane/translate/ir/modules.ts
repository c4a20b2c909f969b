// The filter modules at hand when a proxy is resolved: an input beside the World, since fetching them is I/O.
import type { PluginState } from "../../model/plugin.ts";
import type { BuiltinFilter, WasmModule } from "../../model/wasm-module.ts";

export interface PluginModules {
  /** The module of one of Scrim's own filters. */
  builtin(name: BuiltinFilter): WasmModule;
  /**
   * The plugin as a proxy gets it (its pod's address): while a new version is rolled out they do not all get the same.
   */
  plugin(namespace: string, name: string, proxy: string): PluginState;
  /** Whether it depends on the proxy at present. */
  differsByProxy(namespace: string, name: string): boolean;
}

/** As far as they are not Scrim's own: what a rollout decides. */
export type PluginVersions = Omit<PluginModules, "builtin">;
