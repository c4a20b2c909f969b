// The telemetry filter: always there, on both sides of a request.
import type { FailStrategy } from "../../store/world.ts";
import type { FunctionFilter } from "../ir/filters.ts";
import type { PluginModules } from "../ir/modules.ts";
import { builtinFilter } from "./builtin-filter.ts";

/** Returns the telemetry filter of one side: `destination` counts what a workload serves, `source` what it (or a gateway) asks for. */
export function resolveTelemetry(modules: PluginModules, side: "inbound" | "outbound", failStrategy: FailStrategy): FunctionFilter {
  const reporter = side === "inbound" ? "destination" : "source";
  return builtinFilter(modules, "telemetry", `scrim.telemetry.${side}`, JSON.stringify({ reporter }), failStrategy);
}
