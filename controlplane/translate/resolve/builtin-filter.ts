// One of Scrim's own filters with its configuration.
import type { FailureMode, WasmFilter } from "../ir/filters.ts";
import type { BuiltinFilter, PluginModules } from "../ir/modules.ts";

/**
 * Returns the filter under its resource name. Its shared data outlive every configuration: the VM's id is the module's name.
 * `configuration` undefined: there is nothing for it to do.
 */
export function builtinFilter(modules: PluginModules, module: BuiltinFilter, name: string, configuration: string | undefined, failureMode: FailureMode): WasmFilter {
  return {
    name,
    module: configuration === undefined ? { kind: "idle" } : { kind: "module", module: modules.builtin(module) },
    configuration: configuration ?? "",
    vmId: `scrim.${module}`,
    rootId: name,
    environment: {},
    hostEnvironment: [],
    failureMode,
  };
}
