// What a Gateway must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import { CIPHER_SUITES, type GatewayServerSpec, type GatewaySpec } from "../../model/kinds/gateway.ts";
import { each, type Loose, noDuplicates, report, scopedHostFault } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

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
    report(findings, path, scopedHostFault(host, ["*", "."], false)),
  );
  noDuplicates(server.hosts, [...at, "hosts"], (host) => host, "host", findings);
  if (server.bind !== undefined && isIP(server.bind) === 0) findings.error([...at, "bind"], "must be an IP address");
  else if (server.bind !== undefined)
    findings.warn([...at, "bind"], "is not supported yet and has no effect: the proxy's own addresses are listened on");
  if (server.port?.protocol === undefined) return;
  if (server.port.protocol === "HTTPS") checkHttps(server.tls, at, findings);
  else if (server.tls !== undefined) checkPlain(server.tls, at, findings);
}

function checkHttps(tls: Loose<GatewayServerSpec>["tls"], at: FieldPath, findings: Findings): void {
  if (tls === undefined) return findings.error([...at, "tls"], "is required by protocol HTTPS");
  if (tls.mode === undefined) {
    if (!findings.failedUnder([...at, "tls", "mode"]))
      findings.error(
        [...at, "tls", "mode"],
        "PASSTHROUGH, which it is unless given, is not supported yet: write SIMPLE",
      );
  } else if (tls.credentialName === undefined && !findings.failedUnder([...at, "tls"]))
    findings.error(
      [...at, "tls", "credentialName"],
      "is required by protocol HTTPS: it names the Secret with the certificate",
    );
  checkTlsParameters(tls, [...at, "tls"], findings);
  if (tls.httpsRedirect === true) findings.warn([...at, "tls", "httpsRedirect"], "has a meaning on HTTP servers only");
}

function checkTlsParameters(
  tls: NonNullable<Loose<GatewayServerSpec>["tls"]>,
  at: FieldPath,
  findings: Findings,
): void {
  const suites = tls.cipherSuites ?? [];
  const known = suites.filter((suite) => suite !== undefined && CIPHER_SUITES.has(suite));
  each(suites, [...at, "cipherSuites"], (suite, path) => {
    if (!CIPHER_SUITES.has(suite)) findings.warn(path, `Envoy knows no cipher suite ${quote(suite)}: it is left out`);
  });
  if (suites.length > 0 && known.length === 0)
    findings.error([...at, "cipherSuites"], "names no suite that Envoy knows: without any, all would be allowed");
  const { minProtocolVersion: min, maxProtocolVersion: max } = tls;
  if (min !== undefined && max !== undefined && max !== "TLS_AUTO" && min !== "TLS_AUTO" && min > max)
    findings.error([...at, "minProtocolVersion"], "is above maxProtocolVersion");
}

function checkPlain(tls: NonNullable<Loose<GatewayServerSpec>["tls"]>, at: FieldPath, findings: Findings): void {
  for (const field of ["mode", "credentialName"] as const) {
    if (tls[field] !== undefined) findings.error([...at, "tls", field], "needs protocol HTTPS");
  }
}

function checkPortProtocols(spec: Loose<GatewaySpec>, at: FieldPath, findings: Findings): void {
  const protocols = new Map<string, boolean>();
  each(spec.servers, [...at, "servers"], (server, path) => {
    if (server.port?.number === undefined || server.port.protocol === undefined) return;
    const key = `${server.bind ?? ""}:${server.port.number}`;
    const secure = server.port.protocol === "HTTPS";
    if ((protocols.get(key) ?? secure) !== secure)
      findings.error([...path, "port", "protocol"], `port ${server.port.number} is both HTTPS and plaintext`);
    protocols.set(key, secure);
  });
}
