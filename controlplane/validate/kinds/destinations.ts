// What the destinations of a route must mean, of requests and of connections.
import type { FieldPath } from "../../model/document.ts";
import type { DestinationSpec, RouteDestinationSpec } from "../../model/kinds/virtual-service.ts";
import { each, exactHostFault, type Loose, report } from "../checks.ts";
import type { Findings } from "../violation.ts";

/** Checks the hosts of a route's destinations, and that their weights say where requests go. */
export function checkTargets(
  targets: Loose<readonly RouteDestinationSpec[]> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  each(targets, at, (target, path) => checkDestination(target.destination, [...path, "destination"], findings));
  const total = (targets ?? []).reduce((sum, target) => sum + (target?.weight ?? 0), 0);
  if ((targets ?? []).length > 1 && total === 0 && !findings.failedUnder(at))
    findings.error(at, "the weights of several destinations must not add up to 0");
  if (total > 4_294_967_295) findings.error(at, "the weights add up to more than 4294967295");
}

/** Checks the host of one destination. */
export function checkDestination(
  destination: Loose<DestinationSpec> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  if (destination?.host !== undefined) report(findings, [...at, "host"], exactHostFault(destination.host));
}
