// Consumes: a pod's facts and, for a sidecar, the workload it runs.
// Produces: its Envoy and the workload's process, each started again when it ends by itself.
// Never does: judge whether they answer.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CLUSTER_ID } from "../model/workload-ref.ts";
import { buildBootstrap } from "../bootstrap/bootstrap.ts";
import { type ChildExit, describeExit, startChild } from "./child-process.ts";
import { startEnvoy } from "./envoy-process.ts";
import { crashLineOf } from "./crash-line.ts";
import type { PodContext } from "./pod-context.ts";
import { buildPodEnvironment } from "./pod-environment.ts";
import { ENVOY_ADMIN_PORT } from "../pods/listen-port.ts";
import type { PodRecord } from "./pod-record.ts";
import { replaceFile } from "../disk/replace-file.ts";
import type { RunProbe } from "./readiness.ts";
import { supervise } from "./supervise.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";
import { SCRIM_VERSION } from "../settings/version.ts";

export interface PodProcesses {
  envoyPid(): number | undefined;
  /** True while none of them is between two runs. */
  allRun(): boolean;
  /** Runs a command where and as the workload's process runs; false too when there is none. */
  readonly runProbe: RunProbe;
  stop(graceMs: number): Promise<void>;
}

const ENVOY_GRACE_MS = 3_000;

/** Starts a pod's processes; `onCrash` is called when one of them ended by itself, after people were told. */
export async function startPodProcesses(
  pod: PodRecord,
  workload: WorkloadPlan | undefined,
  context: PodContext,
  onCrash: () => void,
): Promise<PodProcesses> {
  const logDir = join(context.stateDir, "logs", pod.name);
  await mkdir(logDir, { recursive: true, mode: 0o700 });
  const bootstrap = await writeBootstrap(pod, context);
  const crashed = (what: string, logName: string) => (exit: ChildExit, restartInMs: number) => {
    onCrash();
    void tellOfCrash(what, join(logDir, logName), exit, restartInMs, context.say);
  };
  const { clock, onChange: onStart, concurrency, variables: env } = context;
  const envoy = supervise({
    start: () => startEnvoy(context.envoyBinary, { bootstrap, logDir }, { concurrency, env }),
    onStart,
    onCrash: crashed(`the proxy of ${pod.name}`, "envoy.log"),
    clock,
  });
  const app =
    workload &&
    supervise({
      start: () => startApp(workload, pod, logDir, context),
      onCrash: crashed(pod.name, "app.log"),
      clock,
    });
  return {
    envoyPid: envoy.pid,
    allRun: () => envoy.pid() !== undefined && (app === undefined || app.pid() !== undefined),
    runProbe: async (command, timeoutMs) =>
      workload !== undefined && runInPod(command, timeoutMs, { workload, pod, context }),
    async stop(graceMs) {
      await app?.stop(graceMs);
      await envoy.stop(ENVOY_GRACE_MS);
      // It holds the pod's token.
      await rm(bootstrap, { force: true });
    },
  };
}

async function tellOfCrash(
  what: string,
  log: string,
  exit: ChildExit,
  restartInMs: number,
  say: (line: string) => void,
): Promise<void> {
  const line = await crashLineOf(log);
  const ending = `${describeExit(exit)}${line === "" ? "" : `, saying "${line}"`}`;
  say(`${what} ${ending}; starting it again in ${(restartInMs / 1_000).toFixed(2)} s (log: ${log})`);
}

interface PodParts {
  readonly workload: WorkloadPlan;
  readonly pod: PodRecord;
  readonly context: PodContext;
}

async function runInPod(
  [command = "", ...args]: readonly string[],
  timeoutMs: number,
  { workload, pod, context }: PodParts,
): Promise<boolean> {
  const env = buildPodEnvironment(context.variables, pod, workload.variables);
  const child = startChild({ command, args, cwd: workload.folder, env, stdout: "/dev/null", stderr: "/dev/null" });
  const overdue = setTimeout(() => void child.stop(0), timeoutMs);
  const { code } = await child.exited;
  clearTimeout(overdue);
  return code === 0;
}

function startApp(workload: WorkloadPlan, pod: PodRecord, logDir: string, context: PodContext) {
  const log = join(logDir, "app.log");
  return startChild({
    command: "/bin/sh",
    args: ["-c", workload.command],
    cwd: workload.folder,
    env: buildPodEnvironment(context.variables, pod, workload.variables),
    stdout: log,
    stderr: log,
  });
}

async function writeBootstrap(
  pod: PodRecord,
  { controlPlane, trustDomain, metricLabels, extraStatTags, stateDir }: PodContext,
): Promise<string> {
  const path = join(stateDir, "runtime", `${pod.name}.bootstrap.json`);
  const facts = {
    kind: pod.kind,
    podName: pod.name,
    namespace: pod.namespace,
    workload: pod.workload,
    serviceAccount: pod.serviceAccount,
    labels: pod.labels,
    podIp: pod.ip,
    trustDomain,
    clusterId: CLUSTER_ID,
    version: SCRIM_VERSION,
    admin: { address: pod.ip, port: ENVOY_ADMIN_PORT },
    controlPlane,
    token: pod.token,
    metricLabels,
    extraStatTags,
  };
  await replaceFile(path, `${JSON.stringify(buildBootstrap(facts), undefined, 2)}\n`);
  return path;
}
