import type { FaultPlan } from "./environment.ts";
import { HostError } from "./errors.ts";
import { CALLBACK_SIGNATURES, IMPORT_SIGNATURES } from "./signatures.ts";

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

/** Faults that are counted; `missed` has a sentence for each that has not happened. */
export interface PlannedFaults {
  readonly plan: FaultPlan;
  readonly missed: () => readonly string[];
}

const HOST_CALLS: ReadonlySet<string> = new Set([
  "allocator",
  ...[...IMPORT_SIGNATURES.keys()].map((name) => name.slice(name.indexOf(".") + 1)),
]);

/**
 * Counts calls and injects the faults; the first one that applies wins. Throws a HostError (`UNKNOWN_CALL`) for names
 * that no call and no callback has.
 */
export function planFaults(faults: readonly Fault[]): PlannedFaults {
  const counts = faults.map(() => 0);
  const happened = faults.map(() => false);
  faults.forEach(({ call, callback }, i) => {
    if (!HOST_CALLS.has(call))
      throw new HostError("UNKNOWN_CALL", `faults[${i}].call: there is no host function ${call}`);
    if (callback !== undefined && !CALLBACK_SIGNATURES.has(callback))
      throw new HostError("UNKNOWN_CALL", `faults[${i}].callback: there is no callback ${callback}`);
  });
  const plan: FaultPlan = (call) => {
    let answer: number | "trap" | undefined;
    faults.forEach((fault, i) => {
      if (
        fault.call !== call.name ||
        (fault.callback ?? call.callback) !== call.callback ||
        (fault.worker ?? call.worker) !== call.worker
      )
        return;
      const count = (counts[i] = (counts[i] ?? 0) + 1);
      if (answer !== undefined || (fault.nth ?? count) !== count) return;
      answer = fault.answer;
      happened[i] = true;
    });
    return answer;
  };
  const missed = (): readonly string[] =>
    faults.flatMap(({ call }, i) =>
      happened[i] ? [] : [`faults[${i}]: expected a fault in ${call}, it never came (such calls: ${counts[i]})`],
    );
  return { plan, missed };
}
