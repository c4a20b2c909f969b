// One of Scrim's own filters with its configuration.
import type { FailureMode, WasmFilter } from "../ir/filters.ts";
import type { BuiltinFilter, PluginModules } from "../ir/modules.ts";

/** Returns the filter under its resource name. Its shared data outlive every configuration: the VM's id is the module's name. */
export function builtinFilter(modules: PluginModules, module: BuiltinFilter, name: string, configuration: string, failureMode: FailureMode): WasmFilter {
  return {
    name,
    module: { kind: "module", module: modules.builtin(module) },
    configuration,
    vmId: `scrim.${module}`,
    rootId: name,
    environment: {},
    hostEnvironment: [],
    failureMode,
  };
}
