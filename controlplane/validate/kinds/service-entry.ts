// What a ServiceEntry must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import type { ServiceEntryEndpointSpec, ServiceEntrySpec } from "../../model/kinds/service-entry.ts";
import {
  type CheckContext,
  checkExportTo,
  each,
  eachEntry,
  exactHostFault,
  hostPatternFault,
  type Loose,
  noDuplicates,
  report,
} from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Checks a ServiceEntry. */
export function checkServiceEntry(
  spec: Loose<ServiceEntrySpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  each(spec.hosts, [...at, "hosts"], (host, path) => {
    report(findings, path, hostPatternFault(host));
    if (host === "*") findings.error(path, "must not be *: name a domain");
    if (spec.resolution?.startsWith("DNS") && isWildcardHost(host) && (spec.endpoints?.length ?? 0) === 0) {
      findings.error(path, "a wildcard cannot be looked up by DNS: give endpoints, or resolution NONE");
    }
  });
  noDuplicates(spec.hosts, [...at, "hosts"], (host) => host.toLowerCase(), "host", findings);
  if ((spec.ports?.length ?? 0) === 0 && !findings.failedUnder(at))
    findings.warn([...at, "ports"], "none are given: nobody can call the hosts");
  noDuplicates(spec.ports, [...at, "ports"], (port) => port.number, "port", findings, ["number"]);
  noDuplicates(spec.ports, [...at, "ports"], (port) => port.name, "port name", findings, ["name"]);
  checkExportTo(spec.exportTo, [...at, "exportTo"], findings, context.namespace);
  if (spec.exportTo?.includes("~") && spec.exportTo.length > 1)
    findings.error([...at, "exportTo"], "cannot be nobody (~) and somebody");
  checkResolution(spec, at, findings);
  const names = new Set(spec.ports?.map((port) => port?.name));
  each(spec.endpoints, [...at, "endpoints"], (endpoint, path) =>
    checkEndpoint(endpoint, spec.resolution, names, path, findings),
  );
}

function checkResolution(spec: Loose<ServiceEntrySpec>, at: FieldPath, findings: Findings): void {
  const count = spec.endpoints?.length ?? 0;
  if (spec.workloadSelector !== undefined && count > 0)
    findings.error([...at, "endpoints"], "cannot stand beside workloadSelector");
  if (spec.resolution === "STATIC" && count === 0 && spec.workloadSelector === undefined)
    findings.error([...at, "endpoints"], "is required by resolution STATIC");
  if (spec.resolution === "DNS_ROUND_ROBIN" && count > 1)
    findings.error([...at, "endpoints"], "can be one at most with resolution DNS_ROUND_ROBIN");
  if ((spec.resolution ?? "NONE") === "NONE" && count > 0 && !findings.failedUnder([...at, "resolution"]))
    findings.error([...at, "endpoints"], "cannot be given with resolution NONE");
}

function checkEndpoint(
  endpoint: Loose<ServiceEntryEndpointSpec>,
  resolution: string | undefined,
  names: ReadonlySet<string | undefined>,
  at: FieldPath,
  findings: Findings,
): void {
  const { address } = endpoint;
  if (address === undefined && endpoint.network === undefined) findings.error([...at, "address"], "is required");
  else if (address === undefined) findings.warn(at, "has no address, and so no traffic");
  else if (address.startsWith("unix:")) checkSocket(address, endpoint, names.size, at, findings);
  else if (resolution === "STATIC" && isIP(address) === 0)
    findings.error([...at, "address"], `must be an IP address with resolution STATIC, not ${quote(address)}`);
  else if (isIP(address) === 0) report(findings, [...at, "address"], exactHostFault(address));
  eachEntry(endpoint.ports, [...at, "ports"], (name, _port, path) => {
    if (!names.has(name)) findings.error(path, `${quote(name)} is no port of this ServiceEntry`);
  });
}

function checkSocket(
  address: string,
  { ports }: Loose<ServiceEntryEndpointSpec>,
  portCount: number,
  at: FieldPath,
  findings: Findings,
): void {
  if (!/^unix:\/\/(?:@|\/.)/.test(address))
    findings.error([...at, "address"], `must be unix:// and an absolute path, not ${quote(address)}`);
  else if (Object.keys(ports ?? {}).length > 0) findings.error([...at, "ports"], "cannot be given: a socket has none");
  else if (portCount !== 1) findings.error([...at, "address"], "needs a ServiceEntry with one port: a socket has none");
  else findings.warn([...at, "address"], "unix domain sockets are not supported yet: it gets no traffic");
}
