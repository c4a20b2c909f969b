// What the admin pages show, read from the running stages when it is asked for.
import { failed } from "../model/failure.ts";
import { compareText } from "../model/object.ts";
import { spiffeId } from "../model/spiffe.ts";
import { analyzeWorld } from "../analyze/analyze-world.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { Store } from "../store/store.ts";
import type { World } from "../world/world.ts";
import type { PluginFetcher } from "../wasm/plugin-fetcher.ts";
import { encode } from "../../protos/codec.ts";
import { ROLLOUT_ANNOTATION } from "../rollout/plan.ts";
import type { Rollouts } from "../rollout/rollouts.ts";
import type { RolloutProblem } from "../rollout/status.ts";
import { resourceKinds, type ResourceShortName, resourceTypes } from "../snapshot/type-urls.ts";
import type { Answer, ConnectedProxy, XdsServer, XdsServerOptions } from "../xds/server.ts";
import { payloadOf } from "../xds/grpc/wire.ts";
import { type ControlPlaneView, type ProxySync, type SyncState, syncTypes } from "./contract.ts";
import type { DebugConnection } from "./debug/connection.ts";
import type { DebugCaller } from "./debug/access.ts";
import { type DebugResources, debugResources } from "./debug/over-ads.ts";
import type { DebugSources } from "./debug/pages.ts";
import { createQuestionPace, type PaceClock } from "./debug/question-pace.ts";

export interface ViewedStages {
  readonly store: Pick<Store, "world" | "violations">;
  readonly plugins: Pick<PluginFetcher, "problems" | "waiting">;
  readonly rollouts: Pick<Rollouts, "problems" | "heldBack">;
  /** The state that was published last; undefined before the first. */
  readonly published: () => World | undefined;
  /** True while a change waits for its publication. */
  readonly isPending: () => boolean;
  readonly xds: () => Pick<XdsServer, "status"> | undefined;
}

/** The view of these stages. */
export function createControlPlaneView({
  store,
  plugins,
  rollouts,
  published,
  isPending,
  xds,
}: ViewedStages): ControlPlaneView {
  const warningsOf = createWarnings();
  return {
    isReady: () => published() !== undefined,
    world: published,
    hasUnpublishedChange: () => isPending() || published() !== store.world(),
    proxies: () =>
      (xds()?.status() ?? []).map((status) => connectedProxy(status, published()?.mesh.trustDomain ?? "cluster.local")),
    untriedPlugins: plugins.waiting,
    heldBack: (plugin) =>
      plugins.problems().find(({ severity, object }) => severity === "error" && object === `WasmPlugin/${plugin}`)
        ?.message ?? rollouts.heldBack(plugin),
    violations: () => [
      ...store.violations(),
      ...warningsOf(store.world()),
      ...plugins.problems(),
      ...rollouts.problems().map(rolloutViolation),
    ],
  };
}

/** What the debug pages read of the same stages. */
export function debugSources(
  view: ControlPlaneView,
  xds: () => Pick<XdsServer, "status" | "held"> | undefined,
): DebugSources {
  const connections = (): DebugConnection[] => {
    const all = xds()?.status() ?? [];
    const proven = new Set(all.filter(({ isProven }) => isProven).map(({ nodeId }) => nodeId));
    // What is held under a node id is the proven proxy's, whatever namespace somebody else claims who says that he is
    // that node.
    return all
      .map((status) =>
        debugConnection(status, () =>
          status.isProven || !proven.has(status.nodeId) ? xds()?.held(status.nodeId) : undefined,
        ),
      )
      .sort((a, b) => compareText(a.connectionId, b.connectionId));
  };
  return {
    world: () => view.world(),
    connections,
    violations: () => view.violations(),
    rejections: () => view.proxies(),
  };
}

function debugConnection(status: ConnectedProxy, held: () => ReturnType<XdsServer["held"]>): DebugConnection {
  const { connectionId, connectedAtMs, peer, nodeId, pod, namespace, envoyVersion, metadata, types, rejections } =
    status;
  let known: ReturnType<typeof held>;
  // All that a proxy holds is looked up once for a page, however many kinds the page shows.
  const heldOnce = () => (known ??= held());
  const asked = resourceKinds.filter((kind) => types[resourceTypes[kind].short].state !== "IGNORED");
  return {
    // Istio's form: the node, and which of the server's streams it is.
    connectionId: `${nodeId}-${connectionId}`,
    connectedAtMs,
    peerAddress: peer,
    nodeId,
    pod,
    namespace,
    envoyVersion,
    metadata,
    kinds: new Map(
      asked.map((kind) => {
        const { short } = resourceTypes[kind];
        const { state, sentVersion, ackedVersion, ackedAtMs } = types[short];
        const error = rejections
          .filter(({ type }) => type === short)
          .map(({ message }) => message)
          .join("; ");
        return [
          kind,
          {
            state,
            sent: sentVersion,
            acked: ackedVersion,
            ackedAtMs,
            error: error === "" ? undefined : error,
            get watched() {
              return watchedNames(heldOnce()?.[short]?.watched);
            },
          },
        ];
      }),
    ),
    held: (kind) => (kind === "secrets" ? [] : (heldOnce()?.[resourceTypes[kind].short]?.resources ?? [])),
  };
}

function watchedNames(watched: readonly string[] | "*" | undefined): readonly string[] {
  return watched === undefined || watched === "*" ? [] : watched;
}

/**
 * The debug pages as the xDS server asks for them, at a pace that leaves most of the time to proxies. A caller without
 * identity came by the port that is open on this machine only.
 */
export function debugAnswers(sources: DebugSources, clock: PaceClock): NonNullable<XdsServerOptions["debugResources"]> {
  const atPace = createQuestionPace(clock);
  return async (typeUrl, names, asker) => {
    const caller: DebugCaller =
      asker === undefined ? { kind: "local" } : { kind: "workload", namespace: asker.namespace };
    const answer = await atPace(asker === undefined ? "" : `${asker.namespace}/${asker.pod}`, () =>
      answerOf(debugResources(typeUrl, names, caller, sources)),
    );
    return answer ?? failed("busy", "too many questions are waiting: ask again when these are answered");
  };
}

function answerOf(answer: DebugResources | undefined): Answer {
  if (answer === undefined) return { kind: "answer", resources: [] };
  if (answer.kind === "refused") return failed(answer.because, answer.reason);
  return {
    kind: "answer",
    resources: answer.resources.map(({ name, resource }) => ({
      name,
      bytes: payloadOf({ bytes: encode("Resource", { name, resource }) }),
    })),
  };
}

/** What is wrong between objects, found once per state of the mesh. */
function createWarnings(): (world: World) => readonly StoreViolation[] {
  let last: { readonly world: World; readonly warnings: readonly StoreViolation[] } | undefined;
  return (world) => {
    if (last?.world !== world)
      last = { world, warnings: analyzeWorld(world).map((warning) => ({ ...warning, servingLastGood: false })) };
    return last.warnings;
  };
}

function rolloutViolation({ kind, object, message }: RolloutProblem): StoreViolation {
  const { namespace, name } = object.metadata;
  const place = { origin: { ...object.origin }, object: `WasmPlugin/${namespace}/${name}` };
  if (kind === "trap") return { ...place, field: "spec.url", message, servingLastGood: false, severity: "warning" };
  if (kind !== "plan")
    return { ...place, field: "spec.url", message, servingLastGood: kind === "taken back", severity: "error" };
  return {
    ...place,
    field: `metadata.annotations["${ROLLOUT_ANNOTATION}"]`,
    message: `${message}; a new version is held back until somebody promotes it`,
    servingLastGood: true,
    severity: "error",
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
