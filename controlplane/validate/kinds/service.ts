// What a Service and an EndpointSlice must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import type { EndpointSliceSpec, ServiceSpec } from "../../model/kinds/service.ts";
import { type CheckContext, each, type Loose, noDuplicates, report } from "../checks.ts";
import { quote } from "../formats.ts";
import { dnsLabelFault } from "../names.ts";
import type { Findings } from "../violation.ts";

/** Checks a Service. */
export function checkService(spec: Loose<ServiceSpec>, at: FieldPath, findings: Findings): void {
  const { clusterIP = "" } = spec;
  // "" and None are Kubernetes' words for none; it is one of the names that a route table knows the host by.
  if (!["", "None"].includes(clusterIP) && isIP(clusterIP) === 0)
    findings.error([...at, "clusterIP"], `must be an IP address or None, not ${quote(clusterIP)}`);
  const { type, externalName = "" } = spec;
  if (type === "ExternalName" && isIP(externalName) !== 0)
    findings.warn(
      [...at, "externalName"],
      "is an address, which Kubernetes takes for a name that nobody resolves: " +
        "write a Service without selector and its EndpointSlice",
    );
  const path = [...at, "ports"];
  each(spec.ports, path, (port, portPath) => {
    if (port.name !== undefined && port.name !== "") report(findings, [...portPath, "name"], dnsLabelFault(port.name));
    else if ((spec.ports?.length ?? 0) > 1)
      findings.error([...portPath, "name"], "is required when a Service has several ports");
    if (typeof port.targetPort === "number" && (port.targetPort < 1 || port.targetPort > 65_535))
      findings.error([...portPath, "targetPort"], "must be between 1 and 65535");
  });
  noDuplicates(spec.ports, path, (port) => (port.name === "" ? undefined : port.name), "port name", findings, ["name"]);
  noDuplicates(
    spec.ports,
    path,
    (port) => (port.port === undefined ? undefined : `${port.port}/${port.protocol ?? "TCP"}`),
    "port",
    findings,
    ["port"],
  );
}

/** Checks an EndpointSlice. */
export function checkEndpointSlice(
  spec: Loose<EndpointSliceSpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  if (!Object.hasOwn(context.labels, "kubernetes.io/service-name"))
    findings.warn(["metadata", "labels"], "no label kubernetes.io/service-name: these endpoints belong to no Service");
  each(spec.endpoints, [...at, "endpoints"], (endpoint, path) => {
    each(endpoint.addresses, [...path, "addresses"], (address, addressPath) => {
      if (spec.addressType !== "FQDN" && isIP(address) === 0)
        findings.error(addressPath, `is not an IP address: ${quote(address)}`);
    });
  });
}
