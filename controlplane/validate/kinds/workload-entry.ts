// What a workload must mean that is no pod: a WorkloadEntry, a WorkloadGroup's template, a ServiceEntry's endpoint.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import type { WorkloadEndpointSpec, WorkloadEntrySpec, WorkloadGroupSpec } from "../../model/kinds/workload-entry.ts";
import { each, eachEntry, exactHostFault, type Loose, report } from "../checks.ts";
import { quote } from "../formats.ts";
import { objectNameFault } from "../names.ts";
import type { Findings } from "../violation.ts";

/** What an address begins with that is the path of a socket. */
export const UNIX_SOCKET = "unix://";

/** Checks a WorkloadEntry. */
export function checkWorkloadEntry(spec: Loose<WorkloadEntrySpec>, at: FieldPath, findings: Findings): void {
  checkWorkload(spec, at, findings);
}

/** Checks a WorkloadGroup. */
export function checkWorkloadGroup(spec: Loose<WorkloadGroupSpec>, at: FieldPath, findings: Findings): void {
  if (spec.template === undefined) {
    if (!findings.failedUnder([...at, "template"])) findings.error([...at, "template"], "is required");
  } else checkEndpoint(spec.template, [...at, "template"], findings);
  const { probe } = spec;
  if (probe === undefined) return;
  const methods = [probe.httpGet, probe.tcpSocket, probe.exec, probe.grpc];
  if (methods.every((method) => method === undefined) && !findings.failedUnder([...at, "probe"]))
    findings.error([...at, "probe"], "must have one of httpGet, tcpSocket, exec, grpc");
  each(probe.httpGet?.httpHeaders, [...at, "probe", "httpGet", "httpHeaders"], ({ name = "" }, path) => {
    if (!/^[-_A-Za-z0-9]+$/.test(name))
      findings.error([...path, "name"], `must be letters, digits, dashes and underscores, not ${quote(name)}`);
  });
}

/** Checks a workload that has an address, or says where one is. */
export function checkWorkload(spec: Loose<WorkloadEndpointSpec>, at: FieldPath, findings: Findings): void {
  if (spec.address === undefined && spec.network === undefined) {
    if (!findings.failedUnder([...at, "address"])) findings.error([...at, "address"], "is required");
  } else if (spec.address === undefined) findings.warn(at, "has no address, and so no traffic");
  checkEndpoint(spec, at, findings);
}

function checkEndpoint(spec: Loose<WorkloadEndpointSpec>, at: FieldPath, findings: Findings): void {
  const { address = "", serviceAccount = "" } = spec;
  if (address.startsWith(UNIX_SOCKET)) checkSocket(spec, at, findings);
  else if (address !== "" && isIP(address) === 0) report(findings, [...at, "address"], exactHostFault(address));
  if (serviceAccount !== "") report(findings, [...at, "serviceAccount"], objectNameFault(serviceAccount));
  eachEntry(spec.ports, [...at, "ports"], (name, _port, path) => {
    if (name.length > 62 || !/^[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?$/.test(name))
      findings.error(path, `is not the name of a port: ${quote(name)}`);
  });
}

function checkSocket({ address = "", ports }: Loose<WorkloadEndpointSpec>, at: FieldPath, findings: Findings): void {
  if (!/^unix:\/\/(?:@|\/(?:.*[^/])$)/.test(address))
    findings.error([...at, "address"], `must be unix:// and the absolute path of a socket, not ${quote(address)}`);
  if (Object.keys(ports ?? {}).length > 0) findings.error([...at, "ports"], "cannot be given: a socket has none");
}
