// Consumes: the WasmPlugins of the mesh.
// Produces: their checked modules, and which proxy gets which version of them.
// Never does: more than wiring: fetching is in wasm/, versions are in rollout/.
import { join } from "node:path";
import { proxiedPods } from "./pods/pod-facts.ts";
import type { DiskNews } from "./disk/kept-file.ts";
import { pluginFilterName } from "./translate/resolve/wasm-plugin.ts";
import { httpCall } from "./local/http-call.ts";
import type { MeshObject } from "./model/object.ts";
import type { WatchedProxy } from "./rollout/judgement.ts";
import type { Refusals } from "./rollout/report.ts";
import { createRollouts, type Rollouts, type RolloutsOptions } from "./rollout/rollouts.ts";
import { createTrapLog } from "./rollout/trap-log.ts";
import { parseAddress } from "./settings/address.ts";
import type { Installation } from "./settings/installation.ts";
import type { ServeSettings } from "./settings/settings.ts";
import type { World } from "./world/world.ts";
import type { Clock } from "./telemetry/clock.ts";
import { registerTrapMetric } from "./telemetry/control-plane-metrics.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Registry } from "./telemetry/metrics.ts";
import { proxyClassOfPod } from "./proxies/proxy-class.ts";
import { selectPolicies } from "./translate/resolve/workload-selector.ts";
import { createGoodPlugins } from "./wasm/good-plugins.ts";
import { createPluginFetcher, type PluginFetcher } from "./wasm/plugin-fetcher.ts";
import type { PluginSurroundings } from "./wasm/plugin-source.ts";
import { createProcessChecker } from "./wasm/process-checker.ts";
import type { ConnectedProxy } from "./xds/server.ts";

interface PluginDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly installation: Installation;
}

const STATS_TIMEOUT_MS = 2_000;

/** Fetches and tries the modules. */
export function createPlugins(
  { cacheDir, stateDir, allowFetchFrom, plainRegistries, proxies, strict }: ServeSettings,
  { clock, logger, installation }: PluginDeps,
): PluginFetcher {
  const checker = createProcessChecker({ script: installation.pluginCheckScript });
  return createPluginFetcher({
    cacheDir,
    stateDir,
    clock,
    log: logger,
    checker,
    allowFetchFrom,
    plainRegistries,
    proxies,
    strict,
  });
}

/** What of the mesh a plugin's module depends on beside its own object. */
export function surroundingsOf(world: World): PluginSurroundings {
  return { secret: (namespace, name) => world.get("Secret", namespace, name), pluginTrust: world.mesh.pluginTrust };
}

export interface RolloutParts {
  readonly news: DiskNews;
  readonly plugins: Pick<PluginFetcher, "plugin">;
  readonly world: () => World;
  readonly proxies: () => readonly ConnectedProxy[];
}

/** Decides versions by what the mesh's own proxies count, refuse and log. */
export function createPluginRollouts(
  { stateDir, runtimeDir }: ServeSettings,
  { clock, logger, metrics }: Omit<PluginDeps, "installation"> & { readonly metrics: Registry },
  { plugins, world, proxies, news }: RolloutParts,
): Rollouts {
  return createRollouts({
    newest: plugins.plugin,
    versions: createGoodPlugins(join(stateDir, "plugin-versions")),
    stateFile: join(stateDir, "rollouts.json"),
    news,
    proxiesOf: (plugin) => proxiesOf(world(), plugin),
    running: () => runningPods(world(), proxies()),
    refusals: () => refusalsOf(proxies()),
    readPage,
    newTraps: runtimeDir === undefined ? async () => [] : trapsInLogs(join(stateDir, "logs"), world),
    onTrap: registerTrapMetric(metrics),
    clock,
    log: logger,
  });
}

/** The proxies whose workloads a plugin selects. Their counts can be read where the runner says how. */
function proxiesOf(world: World, plugin: MeshObject<"WasmPlugin">): readonly WatchedProxy[] {
  const admins = new Map(
    proxiedPods(world).map(({ namespace, name, envoyAdmin }) => [`${namespace}/${name}`, envoyAdmin]),
  );
  return world.list("Pod").flatMap((pod) => {
    const proxy = proxyClassOfPod(pod);
    if (
      proxy === undefined ||
      !selectPolicies(world, "WasmPlugin", proxy).some(
        ({ metadata }) => metadata.name === plugin.metadata.name && metadata.namespace === plugin.metadata.namespace,
      )
    )
      return [];
    const { namespace, name } = pod.metadata;
    return [
      { name: `${name}.${namespace}`, address: proxy.podIp, envoyAdmin: admins.get(`${namespace}/${name}`) ?? "" },
    ];
  });
}

/** `scrim up` lets each pod's Envoy log into a directory of its own. */
function trapsInLogs(directory: string, world: () => World): RolloutsOptions["newTraps"] {
  const log = createTrapLog();
  return async () => {
    const proxies = new Map(
      proxiedPods(world()).map(({ namespace, name }) => [join(directory, name, "envoy.log"), `${name}.${namespace}`]),
    );
    return (await log.read([...proxies.keys()])).map(({ path, trap }) => ({ proxy: proxies.get(path) ?? "", trap }));
  };
}

function runningPods(world: World, proxies: readonly ConnectedProxy[]): ReadonlySet<string> {
  return new Set(proxies.flatMap(({ namespace, pod }) => world.get("Pod", namespace, pod)?.spec.status?.podIP ?? []));
}

/**
 * What two proxies reject that loads elsewhere may be the fault of both; one alone takes nothing back from the others.
 */
const ENOUGH_BY_THEMSELVES = 2;

/**
 * Why proxies do not take a plugin's version, where it is the version's fault, or nobody could tell, or several say so.
 * What is being looked into takes nothing back.
 */
export function refusalsOf(proxies: readonly ConnectedProxy[]): Refusals {
  const refusing = proxies.filter(({ rejections }) => rejections.length > 0);
  return (plugin, sinceMs) => {
    if (refusing.length === 0) return undefined;
    const [namespace = "", name = ""] = plugin.split("/");
    const resource = pluginFilterName(namespace, name);
    const found = refusing.flatMap((proxy) => {
      const refusal = proxy.rejections.find(
        ({ resources, atMs, blame }) => atMs >= sinceMs && blame !== "examined" && resources.includes(resource),
      );
      return refusal === undefined
        ? []
        : [
            {
              why: `${proxy.pod}.${proxy.namespace} refused it: ${refusal.message}`,
              isItsOwn: refusal.blame === "proxy",
            },
          ];
    });
    const [first] = found.length >= ENOUGH_BY_THEMSELVES ? found : found.filter(({ isItsOwn }) => !isItsOwn);
    return first?.why;
  };
}

async function readPage(address: string, path: string): Promise<string | undefined> {
  const at = parseAddress(address);
  if (at === undefined) return undefined;
  const { status, body } = await httpCall({ host: at.address, port: at.port, path, timeoutMs: STATS_TIMEOUT_MS });
  return status === 200 ? body : undefined;
}
