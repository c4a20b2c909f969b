// Consumes: the control plane's view of itself: objects, what is wrong with them, how far they have come.
// Produces: the status of every object of the mesh's own kinds, in the cluster, by the control plane that leads.
// Never does: write what is written already, more than a few in a second, or anything for others to read at once.
import type { ControlPlaneView } from "../admin/contract.ts";
import { whyLate } from "../admin/distribution.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import type { MeshObject } from "../model/object.ts";
import { objectKey } from "../model/object.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { proxiedPods } from "../pods/pod-facts.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import type { World } from "../world/world.ts";
import { createConcernedClasses } from "./concerned-classes.ts";
import { type JudgedObject, judgeObjects, type ReachedProxy, statusKinds } from "./judge-objects.ts";
import { dueAtMs } from "./pace.ts";
import { createStatusWriter, type StatusWriter } from "./status-writer.ts";

interface StatusDeps {
  readonly client: Pick<ApiClient, "request">;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  readonly view: ControlPlaneView;
  /** What proxies are made from. */
  readonly inputs: () => Inputs | undefined;
}

const ROUND_MS = 1_000;
const WRITES_A_ROUND = 20;
const WRITES_AT_ONCE = 4;
/** So much of a round is spent on finding out whom objects concern. */
const FINDING_MS = 200;

/** Returns the stage that writes statuses. */
export function createStatusStage(deps: StatusDeps): Stage {
  let running = Promise.resolve();
  return {
    name: "status",
    runsOn: "leader",
    async start(signal) {
      running = run(deps, signal);
    },
    stop: () => running,
  };
}

async function run(deps: StatusDeps, signal: AbortSignal): Promise<void> {
  const { client, clock, logger } = deps;
  const writer = createStatusWriter({ api: client, clock, warn: (problem) => logger.warn({}, problem) });
  await writer.read(statusKinds, signal);
  const round = createRounds(deps, writer);
  while (!signal.aborted) {
    await round(signal);
    await clock.sleep(ROUND_MS, signal).catch(() => undefined);
  }
}

/** Returns one round: what is due is written, what its author waits for before what only counts on. */
function createRounds(
  { clock, view, inputs }: StatusDeps,
  writer: StatusWriter,
): (signal: AbortSignal) => Promise<void> {
  const classes = createConcernedClasses(clock);
  let since = new Map<string, { readonly text: string; readonly atMs: number }>();
  const sinceOf = (key: string, { status }: JudgedObject, nowMs: number) => {
    const text = JSON.stringify(status);
    const before = since.get(key);
    return before?.text === text ? before : { text, atMs: nowMs };
  };
  return async (signal) => {
    const world = inputs()?.world;
    if (world === undefined) return;
    await findSome(unknownObjects(world, classes.isKnown));
    const judged = judgeObjects({
      ...{ world, violations: view.violations(), proxies: reachedProxies(world, view), concerns: classes.concerns },
      held: (plugin) =>
        view.untriedPlugins().includes(plugin) ? "its module is being fetched and tried" : view.heldBack(plugin),
    });
    const nowMs = clock.monotonicMs();
    const now = new Map(judged.map((one) => [objectKey(one.ref), sinceOf(objectKey(one.ref), one, nowMs)]));
    since = now;
    writer.keepOnly(judged.map(({ ref }) => ref));
    const due = judged
      .flatMap((one) => {
        const atMs = dueAtMs(writer.written(one.ref), one.status, now.get(objectKey(one.ref))?.atMs ?? nowMs);
        return atMs !== undefined && atMs <= nowMs ? [{ one, atMs }] : [];
      })
      .sort((a, b) => Number(b.one.isWrong) - Number(a.one.isWrong) || a.atMs - b.atMs)
      .slice(0, WRITES_A_ROUND)
      .map(({ one }) => one);
    const work = async (): Promise<void> => {
      for (let next = due.shift(); next !== undefined && !signal.aborted; next = due.shift())
        await writer.write(next, signal);
    };
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, work));
  };

  async function findSome(objects: readonly MeshObject[]): Promise<void> {
    const endMs = clock.monotonicMs() + FINDING_MS;
    for (const object of objects) {
      if (clock.monotonicMs() >= endMs) return;
      await classes.find(object, inputs);
    }
  }
}

function unknownObjects(world: World, isKnown: (object: MeshObject) => boolean): readonly MeshObject[] {
  return statusKinds.flatMap((kind) => world.list(kind)).filter((object) => !isKnown(object));
}

/** Every proxy that is connected, or should be. */
function reachedProxies(world: World, view: ControlPlaneView): readonly ReachedProxy[] {
  const isPublished = !view.hasUnpublishedChange();
  const classOf = (namespace: string, name: string) => {
    const pod = world.get("Pod", namespace, name);
    return pod && proxyOfPod(world, pod)?.class;
  };
  const here = view.proxies();
  const isHere = new Set(here.map(({ namespace, pod }) => `${namespace}/${pod}`));
  const away = proxiedPods(world).filter(
    ({ namespace, name, terminating, finished }) => !terminating && !finished && !isHere.has(`${namespace}/${name}`),
  );
  return [
    ...here.map((proxy) => ({
      ...{ name: `${proxy.pod}.${proxy.namespace}`, class: classOf(proxy.namespace, proxy.pod) },
      lacks: whyLate(proxy, isPublished),
    })),
    ...away.map(({ name, namespace }) => ({
      ...{ name: `${name}.${namespace}`, class: classOf(namespace, name), lacks: "is not connected" },
    })),
  ];
}
