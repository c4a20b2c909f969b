// What a ServiceEntry must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import type { ServiceEntrySpec } from "../../model/kinds/service-entry.ts";
import type { WorkloadEndpointSpec } from "../../model/kinds/workload-entry.ts";
import {
  type CheckContext,
  checkExportTo,
  each,
  eachEntry,
  hostPatternFault,
  type Loose,
  noDuplicates,
  report,
} from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";
import { checkWorkload, UNIX_SOCKET } from "./workload-entry.ts";

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
  const { workloadSelector, resolution = "NONE" } = spec;
  if (workloadSelector !== undefined && resolution === "NONE" && !findings.failedUnder([...at, "resolution"]))
    findings.warn(
      [...at, "workloadSelector"],
      "has no effect with resolution NONE: connections go where they were going",
    );
  else if (workloadSelector !== undefined && Object.keys(workloadSelector.labels ?? {}).length === 0)
    findings.warn([...at, "workloadSelector"], "names no labels and so selects every workload of the namespace");
  if (resolution === "DYNAMIC_DNS") return checkDynamic(spec, at, findings);
  if (spec.workloadSelector !== undefined && count > 0)
    findings.error([...at, "endpoints"], "cannot stand beside workloadSelector");
  if (spec.resolution === "STATIC" && count === 0 && spec.workloadSelector === undefined)
    findings.error([...at, "endpoints"], "is required by resolution STATIC");
  if (spec.resolution === "DNS_ROUND_ROBIN" && count > 1)
    findings.error([...at, "endpoints"], "can be one at most with resolution DNS_ROUND_ROBIN");
  if ((spec.resolution ?? "NONE") === "NONE" && count > 0 && !findings.failedUnder([...at, "resolution"]))
    findings.error([...at, "endpoints"], "cannot be given with resolution NONE");
}

const DYNAMIC_PROTOCOLS = ["HTTP", "HTTP2", "GRPC", "TLS"];

/** The name that is looked up is the client's own: what it asks for by HTTP or TLS. */
function checkDynamic(spec: Loose<ServiceEntrySpec>, at: FieldPath, findings: Findings): void {
  each(spec.hosts, [...at, "hosts"], (host, path) => {
    if (!isWildcardHost(host))
      findings.error(path, "must be a wildcard with resolution DYNAMIC_DNS, such as *.example.com");
  });
  for (const field of ["addresses", "endpoints"] as const)
    if ((spec[field]?.length ?? 0) > 0) findings.error([...at, field], "cannot be given with resolution DYNAMIC_DNS");
  if (spec.workloadSelector !== undefined)
    findings.error([...at, "workloadSelector"], "cannot be given with resolution DYNAMIC_DNS");
  each(spec.ports, [...at, "ports"], ({ protocol = "" }, path) => {
    if (!DYNAMIC_PROTOCOLS.includes(protocol.toUpperCase()))
      findings.error(
        [...path, "protocol"],
        `must be one of ${DYNAMIC_PROTOCOLS.join(", ")} with resolution DYNAMIC_DNS`,
      );
  });
}

function checkEndpoint(
  endpoint: Loose<WorkloadEndpointSpec>,
  resolution: string | undefined,
  names: ReadonlySet<string | undefined>,
  at: FieldPath,
  findings: Findings,
): void {
  checkWorkload(endpoint, at, findings);
  const { address = "" } = endpoint;
  const isSocket = address.startsWith(UNIX_SOCKET);
  if (isSocket && names.size !== 1)
    findings.error([...at, "address"], "needs a ServiceEntry with one port: a socket has none");
  if (isSocket && resolution !== "STATIC") findings.error([...at, "address"], "needs resolution STATIC: it is no name");
  if (!isSocket && address !== "" && resolution === "STATIC" && isIP(address) === 0)
    findings.error([...at, "address"], `must be an IP address with resolution STATIC, not ${quote(address)}`);
  eachEntry(endpoint.ports, [...at, "ports"], (name, _port, path) => {
    if (!names.has(name)) findings.error(path, `${quote(name)} is no port of this ServiceEntry`);
  });
}
