// What the admin pages show, read from the running stages when it is asked for.
import { spiffeId } from "../model/spiffe.ts";
import { analyzeWorld } from "../store/analyze-world.ts";
import type { Store } from "../store/store.ts";
import type { World } from "../store/world.ts";
import type { PluginFetcher } from "../wasm/plugin-fetcher.ts";
import type { ProxyStatus, XdsServer } from "../xds/server.ts";
import { type ConnectedProxy, type ControlPlaneView, type SyncState, type SyncType, syncTypes, type ViolationReport } from "./contract.ts";
import type { DebugSources } from "./debug/pages.ts";

export interface ViewedStages {
  readonly store: Pick<Store, "world" | "violations">;
  readonly plugins: Pick<PluginFetcher, "problems" | "waiting">;
  /** The state that was published last; undefined before the first. */
  readonly published: () => World | undefined;
  /** True while a change waits for its publication. */
  readonly isPending: () => boolean;
  readonly xds: () => Pick<XdsServer, "status"> | undefined;
}

/** The view of these stages. */
export function createControlPlaneView({ store, plugins, published, isPending, xds }: ViewedStages): ControlPlaneView {
  const warningsOf = createWarnings();
  return {
    isReady: () => published() !== undefined,
    world: published,
    hasUnpublishedChange: () => isPending() || published() !== store.world(),
    proxies: () => (xds()?.status() ?? []).map((status) => connectedProxy(status, published()?.mesh.trustDomain ?? "cluster.local")),
    untriedPlugins: plugins.waiting,
    violations: () => [...store.violations(), ...warningsOf(store.world()), ...plugins.problems()],
  };
}

/** What the debug pages read of the same stages. */
export function debugSources(view: ControlPlaneView): DebugSources {
  return { world: () => view.world(), connections: () => [], violations: () => view.violations(), rejections: () => view.proxies() };
}

/** What is wrong between objects, found once per state of the mesh. */
function createWarnings(): (world: World) => readonly ViolationReport[] {
  let last: { readonly world: World; readonly warnings: readonly ViolationReport[] } | undefined;
  return (world) => {
    if (last?.world !== world) last = { world, warnings: analyzeWorld(world).map((warning) => ({ ...warning, servingLastGood: false })) };
    return last.warnings;
  };
}

function connectedProxy({ nodeId, pod, namespace, serviceAccount, envoyVersion, types, rejections }: ProxyStatus, trustDomain: string): ConnectedProxy {
  const sync = Object.fromEntries(syncTypes.map((type) => [type, types[type].state])) as Record<SyncType, SyncState>;
  return { nodeId, pod, namespace, identity: spiffeId(trustDomain, namespace, serviceAccount), envoyVersion, sync, rejections };
}
