import type { HostCall } from "./environment.ts";

/** A fault to inject. It applies to the calls that all given fields describe. */
export interface Fault {
  /** A host function such as `proxy_get_property`, or "allocator": the module's own, which then gives no memory. */
  readonly call: string;
  /** Only in this callback, such as `proxy_on_request_headers`. */
  readonly callback?: string;
  /** Only on this worker; -1 is the throw-away configuration VM. */
  readonly worker?: number;
  /** Only the n-th such call, counted from 1; default: each. */
  readonly nth?: number;
  /** The status to answer (of the allocator anything means "no memory"), or "trap". */
  readonly answer: number | "trap";
}

/** What is to happen in place of a call: a status, "trap", or undefined for the call itself. */
export type FaultPlan = (call: HostCall) => number | "trap" | undefined;

/** A plan that counts calls and injects the faults; the first one that applies wins. */
export function planFaults(faults: readonly Fault[]): FaultPlan {
  const counts = faults.map(() => 0);
  return (call) => {
    let answer: number | "trap" | undefined;
    faults.forEach((fault, i) => {
      if (fault.call !== call.name || (fault.callback ?? call.callback) !== call.callback || (fault.worker ?? call.worker) !== call.worker) return;
      const count = (counts[i] = (counts[i] ?? 0) + 1);
      if (answer === undefined && (fault.nth ?? count) === count) answer = fault.answer;
    });
    return answer;
  };
}
