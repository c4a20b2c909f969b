// The filter modules at hand when a proxy is resolved: an input beside the World, since fetching them is I/O.
import type { FunctionName, WasmFilter, WasmModule } from "./filters.ts";

/** A function's own module, or the one that holds them all. */
export type BuiltinFilter = FunctionName | "mesh";

/** What one callback of a plugin may take, and to what its memory may grow: compiled into its module. */
export interface PluginBudget {
  /** Turns of loops and calls of functions. */
  readonly turns: number;
  /** Pages of 64 KiB. */
  readonly memoryPages: number;
}

/** What a module starts with. A module and its settings are checked together and change together. */
export interface PluginSettings
  extends Pick<WasmFilter, "configuration" | "rootId" | "environment" | "hostEnvironment" | "capabilities"> {
  /** Undefined: what every plugin may take. */
  readonly budget?: PluginBudget;
}

/** A module with the settings it was checked with. */
export interface PluginVersion {
  readonly module: WasmModule;
  readonly settings: PluginSettings;
}

/** What became of a WasmPlugin. */
export type PluginState =
  /** The last good module with the settings it was checked with: not always those that the plugin asks for now. */
  | { readonly kind: "module"; readonly module: WasmModule; readonly settings: PluginSettings }
  /** Two of them: `percent` of the requests take `first`. */
  | { readonly kind: "split"; readonly percent: number; readonly first: PluginVersion; readonly rest: PluginVersion }
  /** There is none: its failStrategy decides what happens to requests. */
  | { readonly kind: "unavailable"; readonly reason: string }
  /** New, and on its way: requests go on as before it was created. */
  | { readonly kind: "pending" };

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
