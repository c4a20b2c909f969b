// Consumes: a pod's facts and, for a sidecar, the workload it runs.
// Produces: its Envoy and the workload's process, each started again when it ends by itself.
// Never does: judge whether they answer.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Child, type ChildExit, describeExit, startChild } from "./child-process.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import { envoyCommand, isEnvoyLive } from "./envoy-process.ts";
import { crashLineOf } from "./crash-line.ts";
import type { PodContext } from "./pod-context.ts";
import { buildPodEnvironment } from "./pod-environment.ts";
import type { PodRecord } from "./pod-record.ts";
import type { Prober } from "./readiness.ts";
import type { PodSandbox } from "./sandbox/sandbox.ts";
import { supervise } from "./supervise.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";

export interface PodProcesses {
  envoyPid(): number | undefined;
  /** How the workload ended, where it is one that runs once; undefined while it runs. */
  outcome(): Outcome | undefined;
  /** True while none of them is between two runs. */
  allRun(): boolean;
  /** Whether the sidecar takes connections for the workload. */
  inboundOpen(): Promise<boolean>;
  /** Asks the workload's process; commands run where and as it runs, and fail where there is none. */
  readonly prober: Prober;
  stop(graceMs: number): Promise<void>;
}

/** Whether a workload that runs once has ended well. */
export type Outcome = "succeeded" | "failed";

const ENVOY_GRACE_MS = 3_000;

/**
 * Starts a pod's processes; `onCrash` is called when one of them ended by itself, after people were told. With a workload
 * that runs once the proxy ends after it, as a native sidecar does.
 */
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
  const log = join(logDir, "app.log");
  const once = workload?.runsOnce && createSingleRun(workload.runsOnce.retries, clock);
  const ended = (exit: ChildExit): boolean => {
    if (once?.isDone(exit) !== true) return false;
    void tellOfEnd(pod.name, exit, once, log, context.say);
    context.onChange();
    void envoy.stop(ENVOY_GRACE_MS);
    return true;
  };
  const app =
    program &&
    supervise({
      async start() {
        // What it does it does once: what it asks at its start is not to fail for want of a proxy.
        if (once !== undefined) await proxyServes(pod.admin, clock);
        return program.start(log);
      },
      onCrash: crashed(pod.name, "app.log"),
      isDone: ended,
      clock,
    });
  return {
    envoyPid: envoy.pid,
    outcome: () => once?.outcome(),
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

const SERVES_POLL_MS = 100;
const SERVES_WITHIN_MS = 30_000;

/** A workload whose proxy never serves is run all the same, and fails by itself. */
async function proxyServes(admin: SocketAddress, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + SERVES_WITHIN_MS;
  while (clock.monotonicMs() < endMs && !(await isEnvoyLive(admin))) await clock.sleep(SERVES_POLL_MS);
}

interface SingleRun {
  /** Whether that was the last run. */
  isDone(exit: ChildExit): boolean;
  outcome(): Outcome | undefined;
  tries(): number;
  /** Since the first start. */
  tookMs(): number;
}

function createSingleRun(retries: number, clock: Clock): SingleRun {
  const beganMs = clock.monotonicMs();
  let outcome: Outcome | undefined;
  let tries = 0;
  return {
    isDone({ code }) {
      tries++;
      outcome = code === 0 ? "succeeded" : tries > retries ? "failed" : undefined;
      return outcome !== undefined;
    },
    outcome: () => outcome,
    tries: () => tries,
    tookMs: () => clock.monotonicMs() - beganMs,
  };
}

async function tellOfEnd(
  pod: string,
  exit: ChildExit,
  { outcome, tries, tookMs }: SingleRun,
  log: string,
  say: (line: string) => void,
): Promise<void> {
  const took = `${(tookMs() / 1_000).toFixed(1)} s`;
  if (outcome() === "succeeded") return say(`${pod} has ended well, after ${took}`);
  const line = await crashLineOf(log);
  const ending = `${describeExit(exit)}${line === "" ? "" : `, saying "${line}"`}`;
  const times = tries() === 1 ? "once" : `${tries()} times`;
  say(`${pod} has failed: it was run ${times} in ${took}, and ${ending} (log: ${log})`);
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
