// Consumes: a pod's facts and, for a sidecar, the workload it runs.
// Produces: its Envoy and the workload's process, each started again when it ends by itself.
// Never does: judge whether they answer.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Child, type ChildExit, describeExit, startChild } from "./child-process.ts";
import { envoyCommand } from "./envoy-process.ts";
import { crashLineOf } from "./crash-line.ts";
import type { PodContext } from "./pod-context.ts";
import { buildPodEnvironment } from "./pod-environment.ts";
import type { PodRecord } from "./pod-record.ts";
import type { Prober } from "./readiness.ts";
import type { PodSandbox } from "./sandbox/sandbox.ts";
import { supervise } from "./supervise.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";

export interface PodProcesses {
  envoyPid(): number | undefined;
  /** True while none of them is between two runs. */
  allRun(): boolean;
  /** Whether the sidecar takes connections for the workload. */
  inboundOpen(): Promise<boolean>;
  /** Asks the workload's process; commands run where and as it runs, and fail where there is none. */
  readonly prober: Prober;
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
  const sandbox = await context.openSandbox(pod, workload);
  const crashed = (what: string, logName: string) => (exit: ChildExit, restartInMs: number) => {
    onCrash();
    void tellOfCrash(what, join(logDir, logName), exit, restartInMs, context.say);
  };
  const { clock, onChange: onStart, variables } = context;
  const { concurrency = context.concurrency, environmentVariables } = pod.proxySettings ?? {};
  const env = { ...variables, ...environmentVariables };
  const { binary, ...run } = sandbox.envoy;
  const envoy = supervise({
    start: () => startChild(sandbox.asProxy(envoyCommand(binary, { ...run, logDir, concurrency, env }))),
    onStart,
    onCrash: crashed(`the proxy of ${pod.name}`, "envoy.log"),
    clock,
  });
  const program = workload && workloadProgram(workload, pod, context, sandbox);
  const app =
    program &&
    supervise({ start: () => program.start(join(logDir, "app.log")), onCrash: crashed(pod.name, "app.log"), clock });
  return {
    envoyPid: envoy.pid,
    allRun: () => envoy.pid() !== undefined && (app === undefined || app.pid() !== undefined),
    inboundOpen: sandbox.inboundOpen,
    prober: { ...sandbox.prober, exec: program?.probe ?? (async () => false) },
    async stop(graceMs) {
      await app?.stop(graceMs);
      await envoy.stop(ENVOY_GRACE_MS);
      await sandbox.close();
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

/** What is run of a workload in its pod: its program, and the commands by which it is asked how it is. */
function workloadProgram(workload: WorkloadPlan, pod: PodRecord, context: PodContext, sandbox: PodSandbox) {
  const start = (command: string, args: readonly string[], log: string): Child => {
    const env = buildPodEnvironment(context.variables, pod, workload.variables);
    return startChild(sandbox.asWorkload({ command, args, cwd: workload.folder, env, stdout: log, stderr: log }));
  };
  return {
    start: (log: string) => start("/bin/sh", ["-c", workload.command], log),
    async probe([command = "", ...args]: readonly string[], timeoutMs: number): Promise<boolean> {
      const child = start(command, args, "/dev/null");
      const overdue = setTimeout(() => void child.stop(0), timeoutMs);
      const { code } = await child.exited;
      clearTimeout(overdue);
      return code === 0;
    },
  };
}
