// What the mesh's own proxies say of a plugin's version: whom it concerns, what they refuse, and what they logged.
import { join } from "node:path";
import { proxiedPods } from "../pods/pod-facts.ts";
import type { MeshObject } from "../model/object.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { isFilterOf } from "../translate/resolve/wasm-plugin.ts";
import { selectPolicies } from "../translate/resolve/workload-selector.ts";
import type { World } from "../world/world.ts";
import type { ConnectedProxy } from "../xds/server.ts";
import type { WatchedProxy } from "./judgement.ts";
import type { Refusals } from "./report.ts";
import type { RolloutsOptions } from "./rollouts.ts";
import { createTrapLog } from "./trap-log.ts";

/** Returns the proxies whose workloads a plugin selects. Their counts can be read where the runner says how. */
export function watchedProxies(world: World, plugin: MeshObject<"WasmPlugin">): readonly WatchedProxy[] {
  const admins = new Map(
    proxiedPods(world).map(({ namespace, name, envoyAdmin }) => [`${namespace}/${name}`, envoyAdmin]),
  );
  return world.list("Pod").flatMap((pod) => {
    const proxy = proxyOfPod(world, pod);
    if (
      proxy === undefined ||
      !selectPolicies(world, "WasmPlugin", proxy.class).some(
        ({ metadata }) => metadata.name === plugin.metadata.name && metadata.namespace === plugin.metadata.namespace,
      )
    )
      return [];
    const { namespace, name } = pod.metadata;
    return [
      {
        name: `${name}.${namespace}`,
        address: proxy.address,
        envoyAdmin: admins.get(`${namespace}/${name}`) ?? "",
      },
    ];
  });
}

/** Returns the addresses of pods whose proxies are connected: they may have been serving for long. */
export function connectedPods(world: World, proxies: readonly ConnectedProxy[]): ReadonlySet<string> {
  return new Set(proxies.flatMap(({ namespace, pod }) => world.get("Pod", namespace, pod)?.spec.status?.podIP ?? []));
}

/** What two proxies reject that loads elsewhere may be the fault of both; one alone takes nothing back from others. */
const ENOUGH_BY_THEMSELVES = 2;

/**
 * Returns why proxies do not take a plugin's version, where it is the version's fault, or nobody could tell, or several
 * say so. What is being looked into takes nothing back.
 */
export function refusalsOf(proxies: readonly ConnectedProxy[]): Refusals {
  const refusing = proxies.filter(({ rejections }) => rejections.length > 0);
  return (plugin, sinceMs) => {
    if (refusing.length === 0) return undefined;
    const [namespace = "", name = ""] = plugin.split("/");
    const found = refusing.flatMap((proxy) => {
      const refusal = proxy.rejections.find(
        ({ resources, atMs, blame }) =>
          atMs >= sinceMs &&
          blame !== "examined" &&
          resources.some((resource) => isFilterOf(resource, namespace, name)),
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

/** Returns what reads the traps that were logged since the last call; the runner lets each Envoy log by itself. */
export function trapsInLogs(directory: string, world: () => World): RolloutsOptions["newTraps"] {
  const log = createTrapLog();
  return async () => {
    const proxies = new Map(
      proxiedPods(world()).map(({ namespace, name }) => [join(directory, name, "envoy.log"), `${name}.${namespace}`]),
    );
    return (await log.read([...proxies.keys()])).map(({ path, trap }) => ({
      proxy: proxies.get(path) ?? "",
      trap,
    }));
  };
}
