// What a VirtualService's routes of connections (tcp, tls) must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { hostMatches } from "../../model/hosts.ts";
import type { ConnectionMatchSpec, VirtualServiceSpec } from "../../model/kinds/virtual-service.ts";
import { each, gatewayNameFault, hostPatternFault, type Loose, report, serverNameFault } from "../checks.ts";
import { quote } from "../formats.ts";
import { dnsLabelFault } from "../names.ts";
import type { Findings } from "../violation.ts";
import { checkTargets } from "./destinations.ts";

/**
 * Checks the destinations of every route, for whom it is, and the names that TLS connections ask for. `forSidecars`:
 * not only gateways are to obey.
 */
export function checkConnectionRoutes(
  spec: Loose<VirtualServiceSpec>,
  forSidecars: boolean,
  at: FieldPath,
  findings: Findings,
): void {
  each(spec.tcp, [...at, "tcp"], (route, path) => {
    checkTargets(route.route, [...path, "route"], findings);
    each(route.match, [...path, "match"], (match, where) => checkMatch(match, where, findings));
  });
  each(spec.tls, [...at, "tls"], (route, path) => {
    checkTargets(route.route, [...path, "route"], findings);
    each(route.match, [...path, "match"], (match, where) => {
      checkMatch(match, where, findings);
      each(match.sniHosts, [...where, "sniHosts"], (host, field) =>
        checkServerName(host, spec, forSidecars, field, findings),
      );
    });
  });
}

function checkMatch(match: Loose<ConnectionMatchSpec>, at: FieldPath, findings: Findings): void {
  each(match.gateways, [...at, "gateways"], (gateway, path) => report(findings, path, gatewayNameFault(gateway)));
  if (match.sourceNamespace !== undefined)
    report(findings, [...at, "sourceNamespace"], dnsLabelFault(match.sourceNamespace));
}

function checkServerName(
  name: string,
  spec: Loose<VirtualServiceSpec>,
  forSidecars: boolean,
  at: FieldPath,
  findings: Findings,
): void {
  if (isIP(name) !== 0) return findings.warn(at, "an address is no server name: most clients do not send it");
  const fault = forSidecars ? hostPatternFault(name) : serverNameFault(name);
  if (fault !== undefined) return findings.error(at, fault);
  const lower = name.toLowerCase();
  const covers = (host: string) => host === lower || hostMatches(host, lower.replace(/^\*/, "x"));
  if (!(spec.hosts ?? []).some((host) => host !== undefined && covers(host.toLowerCase())))
    return findings.error(at, `${quote(name)} is none of the VirtualService's hosts`);
  if (/^\*[^.]/.test(name)) findings.warn(at, `TLS knows * only as a whole first label: ${quote(name)} is left out`);
}
