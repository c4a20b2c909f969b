// The WasmPlugins of a mesh that is only read: their files are looked at, nothing is fetched over a network.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mkdtemp, rm } from "node:fs/promises";
import type { PluginState } from "../model/plugin.ts";
import type { World } from "../world/world.ts";
import { createPluginFetcher, type PluginProblem } from "../wasm/plugin-fetcher.ts";
import { pluginSource } from "../wasm/plugin-source.ts";
import { createProcessChecker } from "../wasm/process-checker.ts";
import type { CommandContext } from "./context.ts";

export interface OfflinePlugins {
  readonly plugin: (namespace: string, name: string) => PluginState;
  readonly problems: readonly PluginProblem[];
  /** Names of plugins whose modules only a running control plane would fetch. */
  readonly notFetched: readonly string[];
}

/** Reads and tries the modules that stand in files; plugins of other places count as being on their way. */
export async function readOfflinePlugins(
  world: World,
  { installation, clock }: Pick<CommandContext, "installation" | "clock">,
): Promise<OfflinePlugins> {
  const around = {
    secret: (namespace: string, name: string) => world.get("Secret", namespace, name),
    pluginTrust: world.mesh.pluginTrust,
  };
  const inFiles = world
    .list("WasmPlugin")
    .filter((plugin) => ["file", "failed"].includes(pluginSource(plugin, around).location.kind));
  const cacheDir = await mkdtemp(join(tmpdir(), "scrim-translate-"));
  const silent = { info: () => undefined, warn: () => undefined };
  const fetcher = createPluginFetcher({
    cacheDir,
    clock,
    log: silent,
    checker: createProcessChecker({ script: installation.pluginCheckScript }),
  });
  try {
    fetcher.update(inFiles, around);
    await fetcher.settled();
    const states = new Map(
      inFiles.map(({ metadata: { namespace, name } }) => [`${namespace}/${name}`, fetcher.plugin(namespace, name)]),
    );
    return {
      plugin: (namespace, name) => states.get(`${namespace}/${name}`) ?? { kind: "pending" },
      problems: fetcher.problems(),
      notFetched: world
        .list("WasmPlugin")
        .filter((plugin) => !inFiles.includes(plugin))
        .map(({ metadata: { namespace, name } }) => `${namespace}/${name}`),
    };
  } finally {
    fetcher.close();
    await rm(cacheDir, { recursive: true, force: true });
  }
}
