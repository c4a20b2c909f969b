// What the admin pages show, read from the running stages when it is asked for.
import { spiffeId } from "../model/spiffe.ts";
import type { PublicationStage } from "../proxies/publication.ts";
import type { RolloutStage } from "../rollout/rollout-stage.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import type { Cell } from "../stages/cell.ts";
import type { StoreStage } from "../store/store-stage.ts";
import type { PluginStage } from "../wasm/plugin-stage.ts";
import type { World } from "../world/world.ts";
import { type Reach, REACHES_NOBODY } from "../xds/reach.ts";
import type { ConnectedProxy } from "../xds/server.ts";
import { type ControlPlaneView, type ProxySync, type SyncState, syncTypes } from "./contract.ts";
import type { FindingsStage } from "./findings.ts";

export interface ViewedStages {
  readonly store: Pick<StoreStage, "world">;
  readonly plugins: Pick<PluginStage, "modules">;
  readonly rollouts: Pick<RolloutStage, "rollouts">;
  readonly publication: Pick<PublicationStage, "published" | "isPending">;
  readonly findings: Pick<FindingsStage, "findings">;
  readonly reach: Cell<Reach>;
}

/** The view of these stages. */
export function createControlPlaneView(stages: ViewedStages): ControlPlaneView {
  const { publication, reach } = stages;
  const { rollouts } = stages.rollouts;
  const { modules } = stages.plugins;
  const published = (): World | undefined => publication.published.read()?.world;
  return {
    isReady: () => published() !== undefined && reach.read() !== REACHES_NOBODY,
    world: published,
    hasUnpublishedChange: () => publication.isPending() || published() !== stages.store.world.read(),
    proxies() {
      const trustDomain = published()?.mesh.trustDomain ?? "cluster.local";
      return reach
        .read()
        .status()
        .map((status) => connectedProxy(status, trustDomain));
    },
    untriedPlugins: () => modules.read().waiting(),
    heldBack: (plugin) =>
      modules
        .read()
        .problems()
        .find(({ severity, object }) => severity === "error" && object === `WasmPlugin/${plugin}`)?.message ??
      rollouts.heldBack(plugin),
    violations: stages.findings.findings.read,
  };
}

function connectedProxy(
  { nodeId, pod, namespace, serviceAccount, envoyVersion, types, rejections }: ConnectedProxy,
  trustDomain: string,
): ProxySync {
  const sync = Object.fromEntries(syncTypes.map((type) => [type, types[type].state])) as Record<
    ResourceShortName,
    SyncState
  >;
  return {
    nodeId,
    pod,
    namespace,
    identity: spiffeId(trustDomain, namespace, serviceAccount),
    envoyVersion,
    sync,
    rejections,
  };
}
