// Consumes: a pod's facts and, for a sidecar, the workload it runs.
// Produces: the pod's life: started, ready or not, drained, stopped.
// Never does: decide which pods there should be.
import type { Clock } from "../telemetry/clock.ts";
import { activeRequests, drainInbound, isEnvoyLive } from "./envoy-process.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import type { PodContext } from "./pod-context.ts";
import type { PodSnapshot } from "./pod-documents.ts";
import { type PodProcesses, startPodProcesses } from "./pod-processes.ts";
import type { ListenPort } from "../pods/listen-port.ts";
import type { PodRecord } from "./pod-record.ts";
import { createPatientAnswers, planProbe } from "./readiness.ts";
import { type ReadyWatch, watchReady } from "./ready-watch.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";

export interface LocalPod {
  readonly name: string;
  readonly templateHash: string;
  readonly ordinal: number;
  /** Starts the processes. Its identity must be published before: else its proxy is refused at first. */
  start(): Promise<void>;
  snapshot(): PodSnapshot;
  isReady(): boolean;
  /** Whether its workload ran once, and has ended for good. */
  isFinished(): boolean;
  isTerminating(): boolean;
  /** Gives a gateway proxy other ports. */
  setPorts(ports: readonly ListenPort[]): void;
  /** From now on the pod counts as being removed. */
  markTerminating(): void;
  /**
   * Lets requests end (at most the workload's grace period), then stops. Call it when no proxy knows the pod's
   * endpoints any more.
   */
  drain(): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

const DEFAULT_GRACE_MS = 30_000;
/** How long the ports after the first one may stay closed before the pod is ready without them. */
const OTHER_PORTS_MS = 3_000;

/** Returns a pod, not yet started: the workload's process (if `workload` is given) and its Envoy. */
export function createLocalPod(record: PodRecord, workload: WorkloadPlan | undefined, context: PodContext): LocalPod {
  const { clock, onChange } = context;
  let pod = record;
  let deletionTimestamp: string | undefined;
  let life: Life | undefined;

  async function stop(graceMs: number): Promise<void> {
    // What could not be started was told then; there is nothing of it to stop.
    await life?.begun.catch(() => undefined);
    await Promise.all([life?.watch()?.stop(), life?.processes()?.stop(graceMs)]);
  }

  return {
    name: record.name,
    templateHash: record.templateHash,
    ordinal: record.ordinal,
    async start() {
      await (life ??= beginLife(record, workload, context)).begun;
    },
    snapshot: () => ({
      pod,
      ready: life?.watch()?.isReady() === true && deletionTimestamp === undefined,
      deletionTimestamp,
      outcome: life?.processes()?.outcome(),
      envoyPid: life?.processes()?.envoyPid(),
    }),
    isFinished: () => life?.processes()?.outcome() !== undefined,
    isReady: () => life?.watch()?.isReady() === true,
    isTerminating: () => deletionTimestamp !== undefined,
    setPorts(ports) {
      pod = { ...pod, ports };
      onChange();
    },
    markTerminating() {
      deletionTimestamp ??= new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
      onChange();
    },
    async drain() {
      const graceMs = workload?.graceMs ?? DEFAULT_GRACE_MS;
      await drainInbound(record.admin);
      await requestsEnded(record.admin, graceMs, clock);
      await stop(graceMs);
    },
    stop,
  };
}

/** A pod's processes and the watch on them: undefined until they are there. */
interface Life {
  readonly begun: Promise<void>;
  processes(): PodProcesses | undefined;
  watch(): ReadyWatch | undefined;
}

/** Starts the processes, then watches them; people are told of one that crashed when it answers again. */
function beginLife(record: PodRecord, workload: WorkloadPlan | undefined, context: PodContext): Life {
  const { clock, say } = context;
  let processes: PodProcesses | undefined;
  let watch: ReadyWatch | undefined;
  let crashed = false;

  async function begin(): Promise<void> {
    processes = await startPodProcesses(record, workload, context, () => {
      crashed = true;
      watch?.lost();
    });
    const probe = planProbe(record, workload?.probe);
    const workloadAnswers = createPatientAnswers(probe, {
      prober: processes.prober,
      nowMs: clock.monotonicMs,
      patienceMs: OTHER_PORTS_MS,
    });
    watch = watchReady({
      ...probe,
      clock,
      check: createCheck(record, processes, workloadAnswers),
      onChange(ready) {
        if (ready && crashed) say(`${record.name} answers again`);
        if (ready) crashed = false;
        context.onChange();
      },
    });
  }

  return { begun: begin(), processes: () => processes, watch: () => watch };
}

/**
 * A pod is ready when its Envoy serves, its inbound ports have opened once, its processes run and the workload answers.
 */
function createCheck(
  pod: PodRecord,
  processes: PodProcesses,
  workloadAnswers: () => Promise<boolean>,
): () => Promise<boolean> {
  let opened = false;
  return async () => {
    // A sidecar must accept before anybody is told of the pod; a router's ports come and go with its Gateways.
    opened ||= (await isEnvoyLive(pod.admin)) && (pod.kind === "router" || (await processes.inboundOpen()));
    return opened && processes.allRun() && (await workloadAnswers());
  };
}

async function requestsEnded(admin: SocketAddress, atMostMs: number, clock: Clock): Promise<void> {
  const deadline = clock.monotonicMs() + atMostMs;
  let idle = 0;
  // Twice idle in a row: a request that a peer had just sent is on its way for a moment.
  while (idle < 2 && clock.monotonicMs() < deadline) {
    await clock.sleep(150);
    const active = await activeRequests(admin);
    if (active === undefined) return;
    idle = active === 0 ? idle + 1 : 0;
  }
}
