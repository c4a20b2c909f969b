// Consumes: the control plane's view of itself: objects, what is wrong with them, how far they have come.
// Produces: the status of every object of the mesh's own kinds, in the cluster, by the control plane that leads.
// Never does: write what is written already, more than a few in a second, or anything for others to read at once.
import type { ControlPlaneView } from "../admin/contract.ts";
import { whyLate } from "../admin/distribution.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { objectKey } from "../model/object.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { proxiedPods } from "../pods/pod-facts.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import type { World } from "../world/world.ts";
import { controlPlanePods } from "./control-plane-pods.ts";
import { type JudgedObject, judgeObjects, type ReachedProxy, statusKinds } from "./judge-objects.ts";
import { dueAtMs } from "./pace.ts";
import { type ReachReport, readReport } from "./reach-report.ts";
import { createStatusWriter, type StatusWriter } from "./status-writer.ts";

interface StatusDeps {
  readonly client: Pick<ApiClient, "request">;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  readonly view: ControlPlaneView;
  /** The control plane's own. */
  readonly namespace: string;
  /** The name of the pod that this runs in. */
  readonly pod: string;
  /** What proxies are made from. */
  readonly inputs: () => Inputs | undefined;
}

const ROUND_MS = 1_000;
/** Where nothing is due and nothing changed but proxies, they are looked at again after so long. */
const QUIET_MS = 5_000;
const WRITES_A_ROUND = 25;
const WRITES_AT_ONCE = 4;

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
function createRounds(deps: StatusDeps, writer: StatusWriter): (signal: AbortSignal) => Promise<void> {
  const { clock, view, inputs } = deps;
  const sinceOf = createAges();
  let quiet: { readonly world: World; readonly wrong: string; readonly untilMs: number } | undefined;
  return async (signal) => {
    const world = inputs()?.world;
    if (world === undefined) return;
    const nowMs = clock.monotonicMs();
    const wrong = view
      .violations()
      .map(({ object, field, message }) => `${object} ${field} ${message}`)
      .join();
    if (quiet?.world === world && quiet.wrong === wrong && nowMs < quiet.untilMs) return;
    const judged = judgeMesh(world, deps, await readOthers(world, deps, signal));
    const sinceMs = sinceOf(judged, nowMs);
    writer.keepOnly(judged.map(({ ref }) => ref));
    const pending = judged.flatMap((one) => {
      const atMs = dueAtMs(writer.written(one.ref), one.status, sinceMs(one));
      return atMs === undefined ? [] : [{ one, atMs }];
    });
    quiet = pending.length === 0 ? { world, wrong, untilMs: nowMs + QUIET_MS } : undefined;
    const due = pending
      .filter(({ atMs }) => atMs <= nowMs)
      .sort((a, b) => Number(b.one.isWrong) - Number(a.one.isWrong) || a.atMs - b.atMs)
      .slice(0, WRITES_A_ROUND)
      .map(({ one }) => one);
    const work = async (): Promise<void> => {
      for (let next = due.shift(); next !== undefined && !signal.aborted; next = due.shift())
        await writer.write(next, signal);
    };
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, work));
  };
}

/** What the other control planes report of the proxies that are connected to them. */
interface Others {
  readonly reports: ReachReport;
  /** Every one of them has reported. */
  readonly areAllHeard: boolean;
}

async function readOthers(world: World, { client, namespace, pod }: StatusDeps, signal: AbortSignal): Promise<Others> {
  const names = controlPlanePods(world, namespace).map(({ metadata }) => metadata.name);
  const others = names.filter((name) => name !== pod);
  const reports = await Promise.all(others.map((name) => readReport({ api: client, namespace }, name, signal)));
  const heard = reports.filter((report) => report !== undefined);
  return {
    reports: new Map(heard.flatMap((report) => [...report])),
    // From outside of the cluster none of them is this one.
    areAllHeard: heard.length === others.length && (names.length < 2 || names.includes(pod)),
  };
}

function judgeMesh(world: World, { view }: StatusDeps, others: Others): readonly JudgedObject[] {
  return judgeObjects({
    ...{ world, violations: view.violations(), proxies: reachedProxies(world, view, others) },
    held: (plugin) =>
      view.untriedPlugins().includes(plugin) ? "its module is being fetched and tried" : view.heldBack(plugin),
  });
}

/** Returns what tells since when each status says what it says. */
function createAges() {
  let ages = new Map<string, { readonly text: string; readonly atMs: number }>();
  return (judged: readonly JudgedObject[], nowMs: number): ((one: JudgedObject) => number) => {
    ages = new Map(
      judged.map(({ ref, status }) => {
        const [key, text] = [objectKey(ref), JSON.stringify(status)];
        const before = ages.get(key);
        return [key, before?.text === text ? before : { text, atMs: nowMs }];
      }),
    );
    return ({ ref }) => ages.get(objectKey(ref))?.atMs ?? nowMs;
  };
}

/** Every proxy that is connected, or should be. */
function reachedProxies(world: World, view: ControlPlaneView, others: Others): readonly ReachedProxy[] {
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
      ...{ lacks: whyLate(proxy, isPublished), isElsewhere: false },
    })),
    ...away.map(({ name, namespace }) => {
      const reported = others.reports.get(`${namespace}/${name}`);
      return {
        ...{ name: `${name}.${namespace}`, class: classOf(namespace, name) },
        lacks: reported === undefined ? "is not connected" : reported || undefined,
        isElsewhere: reported === undefined && !others.areAllHeard,
      };
    }),
  ];
}
