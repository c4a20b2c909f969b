// Consumes: what a workload should be and the pods it has.
// Produces: how many pods to start, which to drain now, and which only once the new ones serve.
// Never does: start or stop anything.
import { freeOrdinals } from "./pod-record.ts";

export interface RunningPod {
  readonly name: string;
  readonly ordinal: number;
  readonly templateHash: string;
}

export interface Reconciliation {
  /** Ordinals of pods to start. */
  readonly start: readonly number[];
  /** Superfluous pods of the current template: to be drained at once. */
  readonly surplus: readonly string[];
  /** Pods of another template: to be drained when all pods of the current one serve. */
  readonly outdated: readonly string[];
}

/**
 * Returns the steps that lead from the running pods (those being drained left out) to `replicas` pods of the template.
 */
export function reconcile(
  desired: { readonly replicas: number; readonly templateHash: string },
  running: readonly RunningPod[],
): Reconciliation {
  const current = running
    .filter((pod) => pod.templateHash === desired.templateHash)
    .sort((a, b) => a.ordinal - b.ordinal);
  const outdated = running.filter((pod) => pod.templateHash !== desired.templateHash);
  const used = new Set(current.map((pod) => pod.ordinal));
  return {
    start: freeOrdinals(used, Math.max(0, desired.replicas - current.length)),
    surplus: current.slice(desired.replicas).map((pod) => pod.name),
    outdated: outdated.map((pod) => pod.name),
  };
}
