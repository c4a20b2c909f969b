// One of Scrim's own functions with its configuration.
import type { FunctionName } from "../../model/wasm-module.ts";
import type { FailStrategy } from "../../world/world.ts";
import type { FunctionFilter } from "../ir/filters.ts";
import { builtinModule, type Inputs } from "./modules.ts";

/**
 * Returns the filter under its resource name. Its shared data outlive every configuration: the VM's id is the module's
 * name. `configuration` undefined: there is nothing for it to do.
 */
export function builtinFilter(
  inputs: Inputs,
  module: FunctionName,
  name: string,
  configuration: string | undefined,
  failStrategy: FailStrategy,
): FunctionFilter {
  return {
    runs: module,
    name,
    module: configuration === undefined ? { kind: "idle" } : { kind: "module", module: builtinModule(inputs, module) },
    configuration: configuration ?? "",
    vmId: `scrim.${module}`,
    rootId: name,
    environment: {},
    hostEnvironment: [],
    // Refusing everything until somebody restarts the proxy helps no one: what fails closed is started anew.
    failureMode: failStrategy === "FAIL_OPEN" ? "open" : "reload",
  };
}
