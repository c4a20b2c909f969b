// Consumes: a pod's facts and, for a sidecar, the workload it runs.
// Produces: a running process with its Envoy, or a lone gateway Envoy, and whether it is ready.
// Never does: decide which pods there should be.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ControlPlaneAddress, buildBootstrap } from "../bootstrap/bootstrap.ts";
import type { Clock } from "../telemetry/clock.ts";
import { type ChildExit, describeExit, startChild } from "./child-process.ts";
import { lastLineOf } from "./last-line.ts";
import { activeRequests, drainInbound, isEnvoyLive, startEnvoy } from "./envoy-process.ts";
import { acceptsTcp } from "./http-call.ts";
import type { PodSnapshot } from "./pod-documents.ts";
import { buildPodEnvironment } from "./pod-environment.ts";
import { ENVOY_ADMIN_PORT, type PodPort, type PodRecord } from "./pod-record.ts";
import { answers, planProbe } from "./readiness.ts";
import { writeAtomically } from "./runtime-directory.ts";
import { supervise } from "./supervise.ts";
import type { WorkloadPlan } from "./workload-plan.ts";

/** What every local pod shares. */
export interface PodContext {
  readonly envoyBinary: string;
  readonly concurrency: number;
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly metricLabels: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Tells people, in one line. */
  readonly say: (line: string) => void;
  /** Called when the pod's snapshot changed. */
  readonly onChange: () => void;
}

export interface LocalPod {
  readonly name: string;
  readonly templateHash: string;
  readonly ordinal: number;
  snapshot(): PodSnapshot;
  isReady(): boolean;
  isTerminating(): boolean;
  /** Gives a gateway proxy other ports. */
  setPorts(ports: readonly PodPort[]): void;
  /** From now on the pod counts as being removed. */
  markTerminating(): void;
  /** Lets requests end (at most the workload's grace period), then stops. Call it when no proxy knows the pod's endpoints any more. */
  drain(): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

const CLUSTER_ID = "Kubernetes";
const STARTING_PERIOD_MS = 150;
const ENVOY_GRACE_MS = 3_000;

/** Starts a pod: the workload's process (if `workload` is given) and its Envoy. */
export async function startLocalPod(record: PodRecord, workload: WorkloadPlan | undefined, context: PodContext): Promise<LocalPod> {
  const { clock, say, onChange } = context;
  let pod = record;
  let ready = false;
  let deletionTimestamp: string | undefined;
  const ended = new AbortController();
  const logDir = join(context.stateDir, "logs", record.name);
  await mkdir(logDir, { recursive: true, mode: 0o700 });
  const bootstrap = await writeBootstrap(record, context);

  let crashedBefore = false;
  const setReady = (now: boolean) => {
    if (ready === now) return;
    ready = now;
    if (now && crashedBefore) say(`${record.name} answers again`);
    crashedBefore &&= !now;
    onChange();
  };
  const crashed = (what: string, log: string) => (exit: ChildExit, restartInMs: number) => {
    crashedBefore = true;
    setReady(false);
    void lastLineOf(join(logDir, log)).then((line) => {
      say(`${what} ${describeExit(exit)}${line === "" ? "" : `, saying "${line}"`}; starting it again in ${(restartInMs / 1_000).toFixed(2)} s (log: ${join(logDir, log)})`);
    });
  };
  const envoy = supervise({
    start: () => startEnvoy(context.envoyBinary, { bootstrap, logDir }, { concurrency: context.concurrency, env: context.variables }), onStart: onChange, onCrash: crashed(`the proxy of ${record.name}`, "envoy.log"), clock,
  });
  const app = workload && supervise({
    start: () => startApp(workload, record, logDir, context), onCrash: crashed(record.name, "app.log"), clock,
  });
  const watching = watchReadiness();

  async function watchReadiness(): Promise<void> {
    const plan = planProbe(pod, workload?.probe);
    let opened = false;
    let failures = 0;
    while (!ended.signal.aborted) {
      opened ||= (await isEnvoyLive(pod.ip)) && (await inboundOpen(pod));
      const good = opened && envoy.pid() !== undefined && (app === undefined || app.pid() !== undefined) && (await answers(plan.checks));
      failures = good ? 0 : failures + 1;
      if (good) setReady(true);
      else if (failures >= plan.failureThreshold) setReady(false);
      await pause(good ? plan.periodMs : Math.min(plan.periodMs, STARTING_PERIOD_MS * Math.min(failures, 10)));
    }
  }

  /** A crash ends the pause: the next check must not wait for a whole period. */
  async function pause(ms: number): Promise<void> {
    const until = clock.monotonicMs() + ms;
    const before = ready;
    while (!ended.signal.aborted && ready === before && clock.monotonicMs() < until) {
      await clock.sleep(Math.min(STARTING_PERIOD_MS, ms), ended.signal).catch(() => undefined);
    }
  }

  async function stop(graceMs: number): Promise<void> {
    ended.abort(new Error("stopped"));
    await app?.stop(graceMs);
    await envoy.stop(ENVOY_GRACE_MS);
    await watching;
    await rm(bootstrap, { force: true });
  }

  return {
    name: record.name,
    templateHash: record.templateHash,
    ordinal: record.ordinal,
    snapshot: () => ({ pod, ready: ready && deletionTimestamp === undefined, deletionTimestamp, envoyPid: envoy.pid() }),
    isReady: () => ready,
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
      const graceMs = workload?.graceMs ?? 30_000;
      await drainInbound(record.ip);
      await requestsEnded(record.ip, graceMs, clock);
      await stop(graceMs);
    },
    stop,
  };
}

async function writeBootstrap(pod: PodRecord, context: PodContext): Promise<string> {
  const { controlPlane, trustDomain, metricLabels } = context;
  const path = join(context.stateDir, "runtime", `${pod.name}.bootstrap.json`);
  const facts = {
    kind: pod.kind, podName: pod.name, namespace: pod.namespace, workload: pod.workload, serviceAccount: pod.serviceAccount, labels: pod.labels, podIp: pod.ip,
    trustDomain, clusterId: CLUSTER_ID, admin: { address: pod.ip, port: ENVOY_ADMIN_PORT }, controlPlane, token: pod.token, metricLabels,
  };
  await writeAtomically(path, `${JSON.stringify(buildBootstrap(facts), undefined, 2)}\n`);
  return path;
}

function startApp(workload: WorkloadPlan, pod: PodRecord, logDir: string, context: PodContext) {
  const log = join(logDir, "app.log");
  return startChild({
    command: "/bin/sh", args: ["-c", workload.command], cwd: workload.folder, env: buildPodEnvironment(context.variables, pod, workload.variables), stdout: log, stderr: log,
  });
}

/** A sidecar's inbound listeners must accept before anybody is told of the pod; a router's come and go with its Gateways. */
async function inboundOpen(pod: PodRecord): Promise<boolean> {
  if (pod.kind === "router") return true;
  const accepted = await Promise.all(pod.ports.map(({ port }) => acceptsTcp(pod.ip, port, 1_000)));
  return accepted.every(Boolean);
}

async function requestsEnded(podIp: string, atMostMs: number, clock: Clock): Promise<void> {
  const deadline = clock.monotonicMs() + atMostMs;
  let idle = 0;
  // Twice idle in a row: a request that a peer had just sent is on its way for a moment.
  while (idle < 2 && clock.monotonicMs() < deadline) {
    await clock.sleep(150);
    const active = await activeRequests(podIp);
    if (active === undefined) return;
    idle = active === 0 ? idle + 1 : 0;
  }
}
