// What a Sidecar must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import type { ConnectionPoolSpec } from "../../model/kinds/destination-rule.ts";
import type { SidecarIngressSpec, SidecarSpec } from "../../model/kinds/sidecar.ts";
import { each, type Loose, noDuplicates, report, scopedHostFault } from "../checks.ts";
import { hostAndPortFault, quote } from "../formats.ts";
import { dnsLabelFault } from "../names.ts";
import type { Findings } from "../violation.ts";
import { checkConnectionPool } from "./destination-rule.ts";
import { checkDestination } from "./destinations.ts";
import { checkServerTls, isGiven, type ServerTls } from "./server-tls.ts";

const TLS_PROTOCOLS = ["HTTPS", "TLS"];
const HTTP_PROTOCOLS = ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"];
const PROTOCOLS = [...HTTP_PROTOCOLS, "MONGO", "REDIS", "MYSQL", "TCP", "UDP", ...TLS_PROTOCOLS];
const UNIX = "unix://";

/** `~namespace/host` takes out what another entry lets in. */
function egressHostFault(text: string): string | undefined {
  return scopedHostFault(/^~[^/]/.test(text) ? text.slice(1) : text, ["*", ".", "~"], true);
}

/** Checks a Sidecar. */
export function checkSidecar(spec: Loose<SidecarSpec>, at: FieldPath, findings: Findings): void {
  if (spec.workloadSelector !== undefined && Object.keys(spec.workloadSelector.labels ?? {}).length === 0) {
    findings.warn([...at, "workloadSelector"], "names no labels and so selects every workload of the namespace");
  }
  const says = [spec.egress?.length, spec.ingress?.length, spec.outboundTrafficPolicy, spec.inboundConnectionPool];
  if (says.every((part) => part === undefined || part === 0) && !findings.failedUnder(at))
    findings.error(at, "must have egress or outboundTrafficPolicy: without, a Sidecar says nothing");
  checkInboundPool(spec.inboundConnectionPool, [...at, "inboundConnectionPool"], findings);
  each(spec.ingress, [...at, "ingress"], (ingress, path) => checkIngress(ingress, path, findings));
  noDuplicates(spec.ingress, [...at, "ingress"], ({ port }) => port?.number, "port", findings, ["port", "number"]);
  checkEgress(spec.egress, [...at, "egress"], findings);
  const { mode, egressProxy } = spec.outboundTrafficPolicy ?? {};
  const proxyAt = [...at, "outboundTrafficPolicy", "egressProxy"];
  checkDestination(egressProxy, proxyAt, findings);
  if (egressProxy !== undefined && mode !== "ALLOW_ANY") findings.error(proxyAt, "needs mode ALLOW_ANY");
  if (egressProxy !== undefined && egressProxy.port === undefined) findings.error([...proxyAt, "port"], "is required");
}

function checkEgress(egress: Loose<SidecarSpec>["egress"], at: FieldPath, findings: Findings): void {
  each(egress, at, (listener, path, index) => {
    each(listener.hosts, [...path, "hosts"], (host, hostPath) => report(findings, hostPath, egressHostFault(host)));
    if (listener.port === undefined && index < (egress?.length ?? 0) - 1)
      findings.error(path, "has no port and so takes every one: it must be the last");
    checkPort(listener.port, path, findings);
    const { number = 0 } = listener.port ?? {};
    if (listener.port !== undefined && number === 0) checkSocket(listener.bind ?? "", [...path, "bind"], findings);
    else if (listener.port !== undefined) checkBind(listener.bind, [...path, "bind"], findings);
  });
  noDuplicates(egress, at, ({ port }) => (port?.number === 0 ? undefined : port?.number), "port", findings, [
    "port",
    "number",
  ]);
}

function checkPort(port: Loose<SidecarIngressSpec>["port"], at: FieldPath, findings: Findings): void {
  if (port === undefined) return;
  const path = [...at, "port"];
  if (port.targetPort !== undefined) findings.error([...path, "targetPort"], "has no meaning in a Sidecar");
  if ((port.name ?? "") !== "") report(findings, [...path, "name"], dnsLabelFault(port.name ?? ""));
  const protocol = (port.protocol ?? "").toUpperCase();
  if (protocol !== "" && !PROTOCOLS.includes(protocol) && !findings.failedUnder(path))
    findings.error([...path, "protocol"], `must be one of ${PROTOCOLS.join(", ")}, not ${quote(port.protocol ?? "")}`);
}

function checkBind(bind: string | undefined, at: FieldPath, findings: Findings): void {
  if (bind !== undefined && bind !== "" && isIP(bind) === 0) findings.error(at, "must be an IP address");
}

function checkSocket(address: string, at: FieldPath, findings: Findings): void {
  if (!/^unix:\/\/(?:@|\/.)/.test(address))
    findings.error(at, `must be ${UNIX} and an absolute path, not ${quote(address)}`);
}

function checkIngress(ingress: Loose<SidecarIngressSpec>, at: FieldPath, findings: Findings): void {
  checkPort(ingress.port, at, findings);
  if (ingress.port?.number === 0) findings.error([...at, "port", "number"], "must be between 1 and 65535, not 0");
  checkBind(ingress.bind, [...at, "bind"], findings);
  if ((ingress.bind ?? "") !== "" && ingress.captureMode !== "NONE" && !findings.failedUnder([...at, "bind"]))
    findings.warn([...at, "bind"], "has no effect without captureMode NONE: connections to any address are taken");
  checkEndpoint(ingress.defaultEndpoint ?? "", [...at, "defaultEndpoint"], findings);
  const pool = [...at, "connectionPool"];
  checkInboundPool(ingress.connectionPool, pool, findings);
  const protocol = (ingress.port?.protocol ?? "").toUpperCase();
  if (protocol !== "" && !HTTP_PROTOCOLS.includes(protocol) && ingress.connectionPool?.http !== undefined)
    findings.warn([...pool, "http"], `has no effect on a port of ${protocol}`);
  if (ingress.tls !== undefined) checkIngressTls(ingress.tls, protocol, [...at, "tls"], findings);
}

/** Of a pool before the application: the port says what is spoken to it. */
function checkInboundPool(pool: Loose<ConnectionPoolSpec> | undefined, at: FieldPath, findings: Findings): void {
  checkConnectionPool(pool, at, findings);
  if (pool?.http?.h2UpgradePolicy === "UPGRADE")
    findings.warn(
      [...at, "http", "h2UpgradePolicy"],
      "has no effect on what comes in: the application is spoken to as its port says",
    );
}

function checkEndpoint(endpoint: string, at: FieldPath, findings: Findings): void {
  if (endpoint === "") return;
  if (endpoint.startsWith(UNIX)) return checkSocket(endpoint, at, findings);
  const local = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|):/.test(endpoint);
  const fault = hostAndPortFault(endpoint.replace(/^:/, "0.0.0.0:"));
  if (!local || fault !== undefined)
    findings.error(
      at,
      `must be 127.0.0.1:PORT, 0.0.0.0:PORT, their like of IPv6, or unix://PATH, not ${quote(endpoint)}`,
    );
}

function checkIngressTls(tls: ServerTls, protocol: string, at: FieldPath, findings: Findings): void {
  if (!TLS_PROTOCOLS.includes(protocol)) findings.error(at, "needs protocol HTTPS or TLS");
  if (tls.httpsRedirect === true) findings.error([...at, "httpsRedirect"], "has a meaning in a Gateway only");
  for (const field of ["credentialName", "credentialNames", "tlsCertificates"] as const)
    if (isGiven(tls, field)) findings.error([...at, field], "cannot be given in a Sidecar: it names files");
  if ((tls.subjectAltNames?.length ?? 0) > 0) findings.error([...at, "subjectAltNames"], "has no meaning in a Sidecar");
  if (tls.mode === "ISTIO_MUTUAL" || tls.mode === "AUTO_PASSTHROUGH")
    findings.error([...at, "mode"], `cannot be ${tls.mode} in a Sidecar`);
  checkServerTls(tls, at, findings);
}
