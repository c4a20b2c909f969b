// Consumes: the WasmPlugins of each World.
// Produces: their modules, fetched and tried, as far as they are at hand.
// Never does: keep the next stage waiting for a module.
import type { ServeSettings } from "../settings/settings.ts";
import type { Installation } from "../settings/installation.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { World } from "../world/world.ts";
import { createPluginFetcher, type PluginFetcher } from "./plugin-fetcher.ts";
import type { PluginSurroundings } from "./plugin-source.ts";
import { createProcessChecker } from "./process-checker.ts";

/** What is at hand of the plugins. */
export type PluginModulesAtHand = Pick<PluginFetcher, "plugin" | "problems" | "waiting" | "settled">;

export interface PluginStage extends Stage {
  /** Another object whenever some plugin's state or problem is another. */
  readonly modules: Cell<PluginModulesAtHand>;
}

interface PluginDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly installation: Installation;
}

/** Returns the stage that fetches plugins and tries them. */
export function createPluginStage(settings: ServeSettings, deps: PluginDeps, world: Cell<World>): PluginStage {
  const { cacheDir, stateDir, allowFetchFrom, plainRegistries, proxies, strict } = settings;
  const fetcher = createPluginFetcher({
    cacheDir,
    stateDir,
    clock: deps.clock,
    log: deps.logger,
    checker: createProcessChecker({ script: deps.installation.pluginCheckScript }),
    allowFetchFrom,
    plainRegistries,
    proxies,
    strict,
  });
  const atHand = (): PluginModulesAtHand => ({
    plugin: fetcher.plugin,
    problems: fetcher.problems,
    waiting: fetcher.waiting,
    settled: fetcher.settled,
  });
  const modules = createCell(atHand());
  const follow = (now: World): void => fetcher.update(now.list("WasmPlugin"), surroundingsOf(now));
  return {
    name: "plugins",
    modules,
    async start() {
      fetcher.onChanged(() => modules.set(atHand()));
      world.subscribe(follow);
      follow(world.read());
    },
    async stop() {
      fetcher.close();
    },
  };
}

/** What of the mesh a plugin's module depends on beside its own object. */
function surroundingsOf(world: World): PluginSurroundings {
  return {
    secret: (namespace, name) => world.get("Secret", namespace, name),
    pluginTrust: world.mesh.pluginTrust,
  };
}
