// consumes: a World and the modules at hand, a proxy class
// produces: the filters of one HTTP chain, by slot
// never does: say what order the slots have (emit/http-chain.ts does)
import type { HttpFilters } from "../ir/filters.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { builtinFilter } from "./builtin-filter.ts";
import { resolveGuards } from "./guards.ts";
import { builtinModule, type Inputs } from "./modules.ts";
import { resolveTelemetry } from "./telemetry.ts";
import { type ChainDirection, resolvePlugins } from "./wasm-plugin.ts";

/**
 * Returns the filters of one chain. Authorization and rate limits guard what comes in (a sidecar's inbound ports, a
 * gateway); the router is for what goes out (from a sidecar, through a gateway); telemetry is for both. They have their
 * places whether there is something for them to do or not: what fills a place reaches open connections with their next
 * request, a changed chain only new ones. `port` is for plugins that ask for some ports.
 */
export function resolveHttpFilters(
  inputs: Inputs,
  proxy: ProxyClass,
  direction: ChainDirection,
  needsRouter: boolean,
  port?: number,
): HttpFilters {
  return {
    ...resolvePlugins(inputs, proxy, { direction, port }),
    ...(direction !== "outbound" && resolveGuards(inputs, proxy)),
    ...(direction !== "inbound" && {
      router: builtinFilter(
        inputs,
        "router",
        "scrim.router",
        needsRouter ? "{}" : undefined,
        inputs.world.mesh.failStrategies.router,
      ),
    }),
    telemetry: resolveTelemetry(inputs, proxy, direction === "inbound" ? "inbound" : "outbound"),
    meshModule: builtinModule(inputs, "mesh"),
  };
}
