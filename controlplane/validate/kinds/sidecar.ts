// What a Sidecar must mean.
import type { FieldPath } from "../../model/document.ts";
import type { SidecarSpec } from "../../model/kinds/sidecar.ts";
import { each, type Loose, report, scopedHostFault } from "../checks.ts";
import type { Findings } from "../violation.ts";

/** Checks a Sidecar. */
export function checkSidecar(spec: Loose<SidecarSpec>, at: FieldPath, findings: Findings): void {
  if (spec.workloadSelector !== undefined && Object.keys(spec.workloadSelector.labels ?? {}).length === 0) {
    findings.error([...at, "workloadSelector"], "needs labels: leave it out to select every workload of the namespace");
  }
  each(spec.egress, [...at, "egress"], (egress, path) => {
    each(egress.hosts, [...path, "hosts"], (host, hostPath) =>
      report(findings, hostPath, scopedHostFault(host, ["*", ".", "~"], true)),
    );
  });
}
