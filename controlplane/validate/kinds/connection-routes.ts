// What a VirtualService's routes of connections (tcp, tls) must mean. Nobody obeys them yet.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { hostMatches } from "../../model/hosts.ts";
import type { VirtualServiceSpec } from "../../model/kinds/virtual-service.ts";
import { each, hostPatternFault, type Loose } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";
import { checkTargets } from "./destinations.ts";

/** Checks the destinations of every route, and the names that TLS connections ask for. */
export function checkConnectionRoutes(spec: Loose<VirtualServiceSpec>, at: FieldPath, findings: Findings): void {
  each(spec.tcp, [...at, "tcp"], (route, path) => checkTargets(route.route, [...path, "route"], findings));
  each(spec.tls, [...at, "tls"], (route, path) => {
    checkTargets(route.route, [...path, "route"], findings);
    each(route.match, [...path, "match"], (match, where) =>
      each(match.sniHosts, [...where, "sniHosts"], (host, field) => checkServerName(host, spec, field, findings)),
    );
  });
}

function checkServerName(name: string, spec: Loose<VirtualServiceSpec>, at: FieldPath, findings: Findings): void {
  if (isIP(name) !== 0) return findings.warn(at, "an address is no server name: most clients do not send it");
  const fault = hostPatternFault(name);
  if (fault !== undefined) return findings.error(at, fault);
  const covers = (host: string) => host === name || hostMatches(host, name.replace(/^\*/, "x"));
  if (!(spec.hosts ?? []).some((host) => host !== undefined && covers(host)))
    findings.error(at, `${quote(name)} is none of the VirtualService's hosts`);
}
