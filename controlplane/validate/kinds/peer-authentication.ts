// What a PeerAuthentication must mean.
import type { FieldPath } from "../../model/document.ts";
import type { PeerAuthenticationSpec } from "../../model/kinds/peer-authentication.ts";
import { eachEntry, type Loose } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Checks a PeerAuthentication. */
export function checkPeerAuthentication(spec: Loose<PeerAuthenticationSpec>, at: FieldPath, findings: Findings): void {
  const path = [...at, "portLevelMtls"];
  if (spec.portLevelMtls !== undefined && Object.keys(spec.selector?.matchLabels ?? {}).length === 0) {
    findings.error(path, "needs a selector: ports are those of the selected workloads");
  }
  if (spec.portLevelMtls !== undefined && Object.keys(spec.portLevelMtls).length === 0 && !findings.failedUnder(path))
    findings.error(path, "must have at least one port");
  eachEntry(spec.portLevelMtls, path, (port, _mtls, portPath) => {
    if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) findings.error(portPath, `${quote(port)} is no port`);
  });
}
