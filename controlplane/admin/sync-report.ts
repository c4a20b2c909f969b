// Consumes: what the control plane shows.
// Produces: the answer of GET /synced: is every workload answering and every proxy up to date, and if not, who is
// missing; and is everything enforced that protects something.
// Never does: wait.
import { describeOrigin } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import { planRouters } from "../pods/gateway-plan.ts";
import { workloadKey, planWorkloads } from "../pods/workload-plan.ts";
import type { World } from "../world/world.ts";
import { type ProxySync, type ControlPlaneView, type SyncReport, type SyncState, syncTypes } from "./contract.ts";
import { type ProxiedPod, proxiedPods } from "../pods/pod-facts.ts";
import { runtimeRevision } from "../pods/runtime-mark.ts";

type Waiting = SyncReport["waiting"][number];

/**
 * Returns the report. `runsLocally`: the control plane has a runtime directory, so Deployments with a local command
 * should have pods.
 */
export function buildSyncReport(view: ControlPlaneView, runsLocally: boolean): SyncReport {
  const world = view.world();
  if (!view.isReady() || world === undefined) {
    return {
      synced: false,
      waiting: [{ who: "control plane", why: "has not read its sources yet" }],
      unenforced: [],
      runtimeRevision: 0,
      acknowledged: false,
    };
  }
  const unpublished: Waiting[] = view.hasUnpublishedChange()
    ? [{ who: "control plane", why: "a change is accepted and not yet published" }]
    : [];
  const untried = view
    .untriedPlugins()
    .map((who) => ({ who: `WasmPlugin ${who}`, why: "its module is being fetched and tried" }));
  const stale = view.proxies().flatMap((proxy) => inState(proxy, "STALE", "has not acknowledged"));
  const rejecting = view.proxies().flatMap((proxy) => inState(proxy, "ERROR", "has rejected"));
  const pods = proxiedPods(world);
  const missing = runsLocally ? [...missingPods(world, pods), ...missingRouters(world, pods)] : [];
  const waiting = [
    ...unpublished,
    ...untried,
    ...missing,
    ...unconnected(pods, view.proxies()),
    ...unready(pods),
    ...stale,
    ...rejecting,
  ];
  const unenforced = view.violations().flatMap(unenforcedBy);
  return {
    synced: waiting.length === 0 && unenforced.length === 0,
    waiting,
    unenforced,
    runtimeRevision: runtimeRevision(world),
    acknowledged: unpublished.length === 0 && stale.length === 0,
  };
}

/** One entry for each thing that is wrong with it. */
function unenforcedBy({ object, protection, ...violation }: StoreViolation): SyncReport["unenforced"] {
  if (protection === undefined) return [];
  const { origin, field, message } = violation;
  const why = [describeOrigin(origin), field, message].filter((part) => part !== "").join(": ");
  return [{ object, protection, why }];
}

function inState({ pod, namespace, sync }: ProxySync, state: SyncState, what: string): Waiting[] {
  const types = syncTypes.filter((type) => sync[type] === state);
  return types.length === 0 ? [] : [{ who: `${pod}.${namespace}`, why: `${what} ${types.join(", ")}` }];
}

function unconnected(pods: readonly ProxiedPod[], proxies: readonly ProxySync[]): Waiting[] {
  const connected = new Set(proxies.map(({ namespace, pod }) => `${namespace}/${pod}`));
  return pods
    .filter((pod) => isThere(pod) && !connected.has(workloadKey(pod)))
    .map((pod) => ({ who: `${pod.name}.${pod.namespace}`, why: "its proxy is not connected" }));
}

/** One that has ended, as a Job's do, is waited for no more. */
function isThere({ terminating, finished }: ProxiedPod): boolean {
  return !terminating && !finished;
}

function unready(pods: readonly ProxiedPod[]): Waiting[] {
  return pods
    .filter((pod) => isThere(pod) && !pod.ready)
    .map((pod) => ({ who: `${pod.name}.${pod.namespace}`, why: "does not answer yet" }));
}

/** A Deployment that was just accepted has no pods yet: that too is somebody missing. */
function missingPods(world: World, pods: readonly ProxiedPod[]): Waiting[] {
  const { workloads, problems } = planWorkloads(world);
  const missing = workloads.flatMap((plan): Waiting[] => {
    const own = pods.filter(
      (pod) =>
        pod.proxy === "sidecar" && pod.workload === plan.name && pod.namespace === plan.namespace && !pod.terminating,
    );
    const current = own.filter((pod) => pod.templateHash === plan.templateHash).length;
    if (current === plan.replicas && own.length === current) return [];
    return [
      {
        who: workloadKey(plan),
        why:
          `${current} of ${plan.replicas} pods of the current template are there` +
          (own.length > current ? `, ${own.length - current} of an older one` : ""),
      },
    ];
  });
  return [...missing, ...problems.map(({ workload, message }) => ({ who: workload, why: message }))];
}

function missingRouters(world: World, pods: readonly ProxiedPod[]): Waiting[] {
  return planRouters(world).flatMap((plan): Waiting[] => {
    const router = pods.find(
      (pod) =>
        pod.proxy === "router" && pod.workload === plan.name && pod.namespace === plan.namespace && !pod.terminating,
    );
    const without = plan.ports.filter(({ port }) => !router?.listens.some((open) => open.port === port));
    if (router !== undefined && without.length === 0) return [];
    return [
      {
        who: workloadKey(plan),
        why:
          router === undefined
            ? "the gateway proxy is not there yet"
            : `the gateway proxy has no port ${without.map(({ port }) => port).join(", ")} yet`,
      },
    ];
  });
}
