import type { WorkloadPlan } from "../../pods/workload-plan.ts";
import type { ChildOptions } from "../child-process.ts";
import type { PodRecord } from "../pod-record.ts";
import type { Prober } from "../readiness.ts";

/** Where a pod's processes run (Kubernetes' word): on the machine's own network, or on one of the pod's. */
export interface PodSandbox {
  readonly envoy: SandboxedEnvoy;
  /** Returns how the command is started there as the proxy's user. */
  asProxy(command: ChildOptions): ChildOptions;
  /** Returns how the command is started there as the workload's user. */
  asWorkload(command: ChildOptions): ChildOptions;
  /** Asks the workload, as only somebody in the pod can. */
  readonly prober: Omit<Prober, "exec">;
  /** Whether the sidecar takes connections for the workload. */
  inboundOpen(): Promise<boolean>;
  /** Removes what was made; what still runs there ends. */
  close(): Promise<void>;
}

/** Envoy as it is found there. */
export interface SandboxedEnvoy {
  readonly binary: string;
  readonly bootstrap: string;
  /** Who it is, where the bootstrap does not say. */
  readonly node?: { readonly id: string; readonly cluster: string } | undefined;
}

/** Makes a pod's sandbox, with the proxy's bootstrap in it. */
export type OpenSandbox = (pod: PodRecord, workload: WorkloadPlan | undefined) => Promise<PodSandbox>;
