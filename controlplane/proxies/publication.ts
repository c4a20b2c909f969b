// Consumes: the World and the versions of its plugins, as they change.
// Produces: the encoded resources of every proxy, all made from one state of both and handed out together.
// Never does: publish a burst of changes more than once, or nothing where there was something.
import { allKinds } from "../model/kinds.ts";
import { type ProxySnapshots, createProxySnapshots } from "../snapshot/proxy-snapshots.ts";
import { createResourceEncoder } from "../snapshot/encode.ts";
import { createPublisher, publishAwaited } from "../snapshot/publisher.ts";
import { type Cell, createCell, createGatheredCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Registry } from "../telemetry/metrics.ts";
import { type PushMetrics, registerPushMetrics } from "../telemetry/xds-metrics.ts";
import type { PluginModules, PluginVersions } from "../translate/ir/modules.ts";
import { keyOf, type MeshProxy } from "../translate/ir/proxy-class.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { emitProxy, keepOnlyWhatIsServed, resolveProxy } from "../translate/translate.ts";
import { loadBuiltinModules } from "../wasm/builtin-modules.ts";
import { createInputs } from "../world/inputs.ts";
import type { World } from "../world/world.ts";
import { proxyOfPod } from "./proxy-class.ts";
import type { Trial } from "./trial.ts";

/** A burst of changes is published once: after this quiet time, and at the latest after the bound. */
const QUIET_MS = 10;
/** Where only addresses came or went: they make small changes, and requests fail meanwhile. */
const ENDPOINT_QUIET_MS = 2;
const PUBLISH_AT_MOST_MS = 100;
/** However often something changes, nothing is published more often than this: ten times a second. */
const PUBLISH_APART_MS = 100;

export interface PublicationStage extends Stage {
  /** What is handed out was made from these; undefined before the first. */
  readonly published: Cell<Inputs | undefined>;
  /** What a proxy is served. */
  readonly resourcesOf: ProxySnapshots<Inputs, MeshProxy>["resourcesOf"];
  readonly ownerOf: ProxySnapshots<Inputs, MeshProxy>["ownerOf"];
  /** True while a change waits for its publication. */
  isPending(): boolean;
}

interface PublicationDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly filtersDir: string;
  /** Where everything new goes first. */
  readonly trial?: Trial | undefined;
}

interface PublicationCells {
  readonly world: Cell<World>;
  readonly versions: Cell<PluginVersions>;
}

/** Returns the stage that makes what proxies are served. */
export function createPublicationStage(deps: PublicationDeps, cells: PublicationCells): PublicationStage {
  const { clock } = deps;
  const { world, versions } = cells;
  let builtin: PluginModules["builtin"] | undefined;
  const inputs = createGatheredCell(
    (): Inputs | undefined => builtin && createInputs(world.read(), { builtin, ...versions.read() }),
    { quietMs: QUIET_MS, atMostMs: PUBLISH_AT_MOST_MS, apartMs: PUBLISH_APART_MS, clock },
  );
  const published = createCell<Inputs | undefined>(undefined);
  const snapshots = createSnapshots(deps.logger);
  const pushes = registerPushMetrics(deps.metrics, clock);
  const publisher = createPublisher<Inputs, MeshProxy>({
    snapshots,
    clock,
    inputs: inputs.read,
    tried: (preparation) => deps.trial?.of(preparation.fresh()),
    published(made) {
      keepOnlyWhatIsServed(made);
      pushes.pushed();
      published.set(made);
    },
  });
  return {
    name: "publication",
    published,
    resourcesOf: snapshots.resourcesOf,
    ownerOf: snapshots.ownerOf,
    isPending: () => inputs.isPending() || publisher.isBusy(),
    async start() {
      const builtins = await loadBuiltinModules(deps.filtersDir);
      builtin = (name) => builtins[name];
      await makeShared(snapshots, inputs.read(), clock);
      inputs.subscribe(() => {
        pushes.began();
        publisher.publish();
      });
      followChanges(inputs, cells, pushes);
    },
    async stop() {
      inputs.close();
      publisher.cancel();
    },
  };
}

/** From here on each change is published soon, and counted by what made it. */
function followChanges(
  inputs: ReturnType<typeof createGatheredCell>,
  { world, versions }: PublicationCells,
  pushes: PushMetrics,
): void {
  let last = world.read();
  inputs.gather(world, (now) => {
    const isEndpoint = isOnlyAddresses(last, now);
    last = now;
    pushes.triggered(isEndpoint ? "endpoint" : "config");
    return isEndpoint ? ENDPOINT_QUIET_MS : QUIET_MS;
  });
  inputs.gather(versions, () => {
    pushes.triggered("plugin");
    return QUIET_MS;
  });
  pushes.triggered("global");
  inputs.changed();
}

function isOnlyAddresses(before: World, after: World): boolean {
  return (
    before.mesh === after.mesh &&
    allKinds.every((kind) => kind === "EndpointSlice" || kind === "Pod" || before.list(kind) === after.list(kind))
  );
}

/**
 * Makes what proxies of each namespace share before one of them can ask: it takes long, and then nobody is kept
 * waiting.
 */
async function makeShared(
  snapshots: ProxySnapshots<Inputs, MeshProxy>,
  inputs: Inputs | undefined,
  clock: Clock,
): Promise<void> {
  if (inputs === undefined) return;
  const proxies = inputs.world.list("Pod").flatMap((pod) => proxyOfPod(inputs.world, pod) ?? []);
  const one = new Map(proxies.map((proxy) => [`${proxy.class.kind} ${proxy.class.namespace}`, proxy]));
  await publishAwaited(snapshots.prepare(inputs, [...one.values()]), clock);
}

function createSnapshots(logger: Logger): ProxySnapshots<Inputs, MeshProxy> {
  return createProxySnapshots<Inputs, MeshProxy>({
    translate: (inputs, proxy) => emitProxy(resolveProxy(inputs, proxy)),
    keyOf,
    encoder: createResourceEncoder(),
    isBootstrapCluster: (name) => name === "xds-grpc",
    log: logger,
  });
}
