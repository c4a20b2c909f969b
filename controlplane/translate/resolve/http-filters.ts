// consumes: a World, a proxy class, the modules at hand
// produces: the filters of one HTTP chain, by slot
// never does: say what order the slots have (emit/http-chain.ts does)
import type { World } from "../../world/world.ts";
import type { HttpFilters } from "../ir/filters.ts";
import type { PluginModules } from "../ir/modules.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { builtinFilter } from "./builtin-filter.ts";
import { resolveGuards } from "./guards.ts";
import { resolveTelemetry } from "./telemetry.ts";
import { type ChainDirection, resolvePlugins } from "./wasm-plugin.ts";

/**
 * Returns the filters of one chain. Authorization and rate limits guard what comes in (a sidecar's inbound ports, a
 * gateway); the router is for what goes out (from a sidecar, through a gateway); telemetry is for both. They have their
 * places whether there is something for them to do or not: what fills a place reaches open connections with their next
 * request, a changed chain only new ones. `port` is for plugins that ask for some ports.
 */
export function resolveHttpFilters(
  world: World,
  proxy: ProxyClass,
  direction: ChainDirection,
  modules: PluginModules,
  needsRouter: boolean,
  port?: number,
): HttpFilters {
  return {
    ...resolvePlugins(world, proxy, { direction, port }, modules),
    ...(direction !== "outbound" && resolveGuards(world, proxy, modules)),
    ...(direction !== "inbound" && {
      router: builtinFilter(
        modules,
        "router",
        "scrim.router",
        needsRouter ? "{}" : undefined,
        world.mesh.failStrategies.router,
      ),
    }),
    telemetry: resolveTelemetry(world, proxy, modules, direction === "inbound" ? "inbound" : "outbound"),
    meshModule: modules.builtin("mesh"),
  };
}
