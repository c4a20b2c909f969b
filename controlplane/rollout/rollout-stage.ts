// Consumes: the WasmPlugins of each World, their modules at hand, and what the proxies count, refuse and log.
// Produces: which version of a plugin each proxy gets.
// Never does: keep a start waiting for long: what is not at hand by then has a stand-in.
import { join } from "node:path";
import type { DiskNews } from "../disk/kept-file.ts";
import type { ServeSettings } from "../settings/settings.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import { registerTrapMetric } from "../telemetry/control-plane-metrics.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Registry } from "../telemetry/metrics.ts";
import type { PluginVersions } from "../translate/ir/modules.ts";
import { createGoodPlugins } from "../wasm/good-plugins.ts";
import { withBudget } from "../wasm/meter/metered-module.ts";
import type { PluginModulesAtHand } from "../wasm/plugin-stage.ts";
import type { World } from "../world/world.ts";
import type { Reach } from "../xds/reach.ts";
import { connectedPods, refusalsOf, trapsInLogs, watchedProxies } from "./evidence.ts";
import { createRollouts, markOfVersion, type Rollouts, type RolloutsOptions } from "./rollouts.ts";

/** How long a start waits for plugins; for those that are missing then, something stands in. */
const PLUGINS_AT_START_MS = 5_000;

export interface RolloutStage extends Stage {
  /** Another object whenever some proxy may get another version. */
  readonly versions: Cell<PluginVersions>;
  /** What people are told, and what they may ask for. */
  readonly rollouts: Pick<Rollouts, "problems" | "heldBack" | "status" | "act">;
}

interface RolloutDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly news: DiskNews;
  /** A page of an Envoy's admin address; undefined when there is no answer. */
  readonly readPage: RolloutsOptions["readPage"];
}

interface RolloutCells {
  readonly world: Cell<World>;
  readonly modules: Cell<PluginModulesAtHand>;
  readonly reach: Cell<Reach>;
}

/** Returns the stage that decides versions. */
export function createRolloutStage(
  { stateDir, runtimeDir }: Pick<ServeSettings, "stateDir" | "runtimeDir">,
  { clock, logger, metrics, news, readPage }: RolloutDeps,
  { world, modules, reach }: RolloutCells,
): RolloutStage {
  const rollouts = createRollouts({
    newest: (namespace, name) => modules.read().plugin(namespace, name),
    versions: createGoodPlugins(join(stateDir, "plugin-versions")),
    stateFile: join(stateDir, "rollouts.json"),
    news,
    proxiesOf: (plugin) => watchedProxies(world.read(), plugin),
    running: () => connectedPods(world.read(), reach.read().status()),
    refusals: () => refusalsOf(reach.read().status()),
    readPage,
    newTraps: runtimeDir === undefined ? async () => [] : trapsInLogs(join(stateDir, "logs"), world.read),
    onTrap: registerTrapMetric(metrics),
    clock,
    log: logger,
  });
  const versions = createCell(versionsOf(rollouts));
  const decide = (): void => rollouts.update(world.read().list("WasmPlugin"));
  return {
    // In each control plane: it gives versions to the proxies that are connected to it.
    name: "rollouts",
    versions,
    rollouts,
    async start(signal) {
      await rollouts.load();
      await Promise.race([modules.read().settled(), clock.sleep(PLUGINS_AT_START_MS, signal)]);
      decide();
      rollouts.fetched();
      world.subscribe(decide);
      modules.subscribe(() => {
        rollouts.fetched();
        versions.set(versionsOf(rollouts));
      });
      rollouts.onChanged(() => versions.set(versionsOf(rollouts)));
      void rollouts.watch(signal);
    },
    stop: () => rollouts.flush(),
  };
}

/** Each version with the budget that its module is given. */
function versionsOf(rollouts: Rollouts): PluginVersions {
  return {
    plugin: (namespace, name, proxy) =>
      withBudget(rollouts.plugin(namespace, name, proxy), (version) => markOfVersion(`${namespace}/${name}`, version)),
    differsByProxy: rollouts.differsByProxy,
  };
}
