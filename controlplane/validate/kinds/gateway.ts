// What a Gateway must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { type GatewayServerSpec, type GatewaySpec, isPassedOn, unservedReason } from "../../model/kinds/gateway.ts";
import { each, type Loose, noDuplicates, report, scopedHostFault } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";
import { checkServerTls, isGiven, type ServerTls } from "./server-tls.ts";

const SECURE = ["HTTPS", "TLS"];
const HTTP = ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"];

/** Checks a Gateway. */
export function checkGateway(spec: Loose<GatewaySpec>, at: FieldPath, findings: Findings): void {
  if (spec.servers === undefined || spec.servers.length === 0)
    findings.error([...at, "servers"], "is required: a Gateway without servers opens no port");
  each(spec.servers, [...at, "servers"], (server, path) => checkServer(server, path, findings));
  noDuplicates(spec.servers, [...at, "servers"], (server) => server.port?.name, "port name", findings, [
    "port",
    "name",
  ]);
  checkPortProtocols(spec, at, findings);
}

function checkServer(server: Loose<GatewayServerSpec>, at: FieldPath, findings: Findings): void {
  each(server.hosts, [...at, "hosts"], (host, path) =>
    report(findings, path, scopedHostFault(host, ["*", "."], false) ?? partialWildcardFault(host)),
  );
  noDuplicates(server.hosts, [...at, "hosts"], (host) => host, "host", findings);
  if (server.bind !== undefined && isIP(server.bind) === 0) findings.error([...at, "bind"], "must be an IP address");
  if (server.port?.protocol === undefined) return;
  if (SECURE.includes(server.port.protocol)) checkSecure(server, at, findings);
  else if (server.tls !== undefined) checkPlain(server.port.protocol, server.tls, at, findings);
  const unserved = findings.failedUnder(at) ? undefined : unservedReason(server);
  if (unserved !== undefined)
    findings.warn([...at, ...unserved.field], `${unserved.reason} is not supported yet: this server is not opened`);
}

function partialWildcardFault(host: string): string | undefined {
  return /(?:^|\/)\*[^./]/.test(host) ? `can have * only as its whole first label, not ${quote(host)}` : undefined;
}

function checkSecure({ port, tls }: Loose<GatewayServerSpec>, at: FieldPath, findings: Findings): void {
  if (tls === undefined) return findings.error([...at, "tls"], `is required by protocol ${port?.protocol ?? ""}`);
  checkServerTls(tls, [...at, "tls"], findings);
  if (tls.httpsRedirect === true) findings.warn([...at, "tls", "httpsRedirect"], "has a meaning on HTTP servers only");
}

/** On servers of plain HTTP `tls` is there for `httpsRedirect`. */
function checkPlain(protocol: string, tls: ServerTls, at: FieldPath, findings: Findings): void {
  if (!HTTP.includes(protocol))
    return findings.error([...at, "tls"], `cannot be given: protocol ${protocol} is no TLS`);
  if (tls.mode !== undefined && !isPassedOn(tls.mode))
    findings.error([...at, "tls", "mode"], "needs protocol HTTPS or TLS");
  for (const field of ["serverCertificate", "privateKey", "caCertificates"] as const)
    if (isGiven(tls, field)) findings.error([...at, "tls", field], "needs protocol HTTPS or TLS");
  for (const field of ["credentialName", "credentialNames"] as const)
    if (isGiven(tls, field)) findings.warn([...at, "tls", field], `has no effect: protocol ${protocol} is plaintext`);
}

function checkPortProtocols(spec: Loose<GatewaySpec>, at: FieldPath, findings: Findings): void {
  const protocols = new Map<string, boolean>();
  each(spec.servers, [...at, "servers"], (server, path) => {
    if (server.port?.number === undefined || server.port.protocol === undefined) return;
    if (unservedReason(server) !== undefined) return;
    const key = `${server.bind ?? ""}:${server.port.number}`;
    const secure = SECURE.includes(server.port.protocol);
    if ((protocols.get(key) ?? secure) !== secure)
      findings.error([...path, "port", "protocol"], `port ${server.port.number} is both TLS and plaintext`);
    protocols.set(key, secure);
  });
}
