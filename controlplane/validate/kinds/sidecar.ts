// What a Sidecar must mean.
import type { FieldPath } from "../../model/document.ts";
import type { SidecarSpec } from "../../model/kinds/sidecar.ts";
import { each, type Loose, report, scopedHostFault } from "../checks.ts";
import type { Findings } from "../violation.ts";

/** `~namespace/host` takes out what another entry lets in. */
function egressHostFault(text: string): string | undefined {
  return scopedHostFault(/^~[^/]/.test(text) ? text.slice(1) : text, ["*", ".", "~"], true);
}

/** Checks a Sidecar. */
export function checkSidecar(spec: Loose<SidecarSpec>, at: FieldPath, findings: Findings): void {
  if (spec.workloadSelector !== undefined && Object.keys(spec.workloadSelector.labels ?? {}).length === 0) {
    findings.warn([...at, "workloadSelector"], "names no labels and so selects every workload of the namespace");
  }
  each(spec.egress, [...at, "egress"], (egress, path) => {
    each(egress.hosts, [...path, "hosts"], (host, hostPath) => report(findings, hostPath, egressHostFault(host)));
  });
  if ((spec.egress?.length ?? 0) === 0 && spec.outboundTrafficPolicy === undefined && !findings.failedUnder(at))
    findings.error(at, "must have egress or outboundTrafficPolicy: without, a Sidecar says nothing");
}
