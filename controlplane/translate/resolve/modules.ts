// The filter modules at hand as a part of what answers are made from: each plugin is an input of its own.
import { isDeepStrictEqual } from "node:util";
import type { PluginState, PluginVersion } from "../../model/plugin.ts";
import type { BuiltinFilter, WasmModule } from "../../model/wasm-module.ts";
import { derived } from "../../world/derive.ts";
import type { InputsWith } from "../../world/inputs.ts";
import type { PluginModules } from "../ir/modules.ts";

/** What all configuration of proxies is made from: one state of the mesh, and the filter modules at hand then. */
export type Inputs = InputsWith<PluginModules>;

/** Returns the module of one of Scrim's own filters. */
export const builtinModule = derived((inputs: Inputs, name: BuiltinFilter): WasmModule => inputs.modules.builtin(name));

/**
 * Returns the plugin as the proxy at this address gets it; whoever asks depends on this plugin only. The address is
 * given for classes of one proxy, which they are while there is a plugin that differs.
 */
export function pluginState(inputs: Inputs, namespace: string, name: string, only: string | undefined): PluginState {
  // Proxies share the answer unless this plugin is being rolled out.
  return stateAt(inputs, namespace, name, differsByProxy(inputs, namespace, name) ? (only ?? "") : "");
}

/** Returns whether the plugin is not the same for all proxies at present. */
export const differsByProxy = derived((inputs: Inputs, namespace: string, name: string): boolean =>
  inputs.modules.differsByProxy(namespace, name),
);

const stateAt = derived(
  (inputs: Inputs, namespace: string, name: string, address: string): PluginState =>
    inputs.modules.plugin(namespace, name, address),
  { same: isSameState },
);

/** A module is the same while its object is: its bytes are not looked at. */
function isSameState(before: PluginState, after: PluginState): boolean {
  if (before.kind === "module") return after.kind === "module" && isSameVersion(before, after);
  if (before.kind === "split")
    return (
      after.kind === "split" &&
      before.percent === after.percent &&
      isSameVersion(before.first, after.first) &&
      isSameVersion(before.rest, after.rest)
    );
  return isDeepStrictEqual(before, after);
}

function isSameVersion(before: PluginVersion, after: PluginVersion): boolean {
  return before.module === after.module && isDeepStrictEqual(before.settings, after.settings);
}
