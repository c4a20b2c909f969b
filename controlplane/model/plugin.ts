// What became of a WasmPlugin: its module, and the settings it runs with.
import type { WasmModule } from "./wasm-module.ts";

/** What one callback of a plugin may take, and to what its memory may grow: compiled into its module. */
export interface PluginBudget {
  /** Turns of loops and calls of functions. */
  readonly turns: number;
  /** Pages of 64 KiB. */
  readonly memoryPages: number;
}

/** What a module starts with. A module and its settings are checked together and change together. */
export interface PluginSettings {
  /** JSON text, or the empty string. */
  readonly configuration: string;
  readonly rootId: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of variables that are handed over from the proxy's own environment. */
  readonly hostEnvironment: readonly string[];
  /** Host functions and callbacks the module may use, as in `proxy_http_call`; undefined: all. */
  readonly capabilities?: readonly string[] | undefined;
  /** StopIteration for headers holds the headers alone: the body goes on coming. Envoy's own word for it. */
  readonly allowOnHeadersStopIteration?: boolean | undefined;
  /** Undefined: what every plugin may take. */
  readonly budget?: PluginBudget | undefined;
}

/** A module with the settings it was checked with. */
export interface PluginVersion {
  readonly module: WasmModule;
  readonly settings: PluginSettings;
}

/** What proxies get of a WasmPlugin. */
export type PluginState =
  /** The last good module with the settings it was checked with: not always those that the plugin asks for now. */
  | { readonly kind: "module"; readonly module: WasmModule; readonly settings: PluginSettings }
  /** Two of them: `percent` of the requests take `first`. */
  | { readonly kind: "split"; readonly percent: number; readonly first: PluginVersion; readonly rest: PluginVersion }
  /** There is none: its failStrategy decides what happens to requests. */
  | { readonly kind: "unavailable"; readonly reason: string }
  /** New, and on its way: requests go on as before it was created. */
  | { readonly kind: "pending" };
