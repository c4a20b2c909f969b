// A violation as the admin pages and tools show it.
import type { KubernetesOrigin } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";

/** Where it stands: of a file its path, and line and column from 1. */
type ReportedPlace =
  | { readonly file: string; readonly line: number; readonly column: number }
  | { readonly origin: KubernetesOrigin };

/** An entry of GET /debug/violations. */
export type ViolationReport = Omit<StoreViolation, "origin"> & ReportedPlace;

/** Returns what the page says of a violation. */
export function reportOf(violation: StoreViolation): ViolationReport {
  const { origin } = violation;
  if (origin.kind === "kubernetes") return { ...violation, origin };
  const { path: file, line, column } = origin;
  // In the order of the violation's own fields: what people compare as text stays in place.
  const fields = Object.entries(violation).flatMap(([name, value]) =>
    name === "origin" ? Object.entries({ file, line, column }) : [[name, value] as const],
  );
  return Object.fromEntries(fields) as ViolationReport;
}
