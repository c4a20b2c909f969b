// Faults that a route injects: delays and aborts, for a share of its requests.
import type { FaultSpec } from "../../model/kinds/virtual-service.ts";
import type { Fault } from "../ir/routes.ts";
import { durationMs } from "./traffic-policy.ts";

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const GRPC_STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Returns `{ fault }`, or nothing when no request would be touched: a missing percentage means none. */
export function resolveFault(spec: FaultSpec | undefined): { readonly fault?: Fault } {
  const delay = delayOf(spec?.delay);
  const abort = abortOf(spec?.abort);
  return delay || abort ? { fault: { ...(delay && { delay }), ...(abort && { abort }) } } : {};
}

function delayOf(spec: FaultSpec["delay"]): Fault["delay"] {
  const percent = spec?.percentage?.value ?? spec?.percent ?? 0;
  const ms = durationMs(spec?.fixedDelay);
  return ms === undefined || percent <= 0 ? undefined : { ms, percent };
}

function abortOf(spec: FaultSpec["abort"]): Fault["abort"] {
  const percent = spec?.percentage?.value ?? 0;
  if (spec === undefined || percent <= 0) return undefined;
  // 600 passes in Istio, and Envoy answers with no such status.
  if (spec.httpStatus !== undefined)
    return spec.httpStatus > 599 ? undefined : { httpStatus: spec.httpStatus, percent };
  const grpcStatus = GRPC_STATUSES.indexOf((spec.grpcStatus ?? "").toUpperCase());
  return grpcStatus < 0 ? undefined : { grpcStatus, percent };
}
