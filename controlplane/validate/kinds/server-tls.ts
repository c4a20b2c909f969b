// What the TLS settings of a server must mean: of a Gateway's, and of a Sidecar's ingress.
import type { FieldPath } from "../../model/document.ts";
import { CIPHER_SUITES, ECDH_CURVES, type GatewayServerSpec, isPassedOn } from "../../model/kinds/gateway.ts";
import { each, type Loose } from "../checks.ts";
import { checkFile } from "../files.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

export type ServerTls = NonNullable<Loose<GatewayServerSpec>["tls"]>;

/** Certificates as a server may be given them. */
const SOURCES = ["credentialName", "credentialNames", "serverCertificate", "privateKey", "tlsCertificates"] as const;
/** What is asked of clients' certificates. */
const OF_CLIENTS = [
  "caCertificates",
  "caCertCredentialName",
  "subjectAltNames",
  "verifyCertificateSpki",
  "verifyCertificateHash",
] as const;
const PAIR = ["serverCertificate", "privateKey"] as const;
const FILES = [...PAIR, "caCertificates", "caCrl"] as const;
const MAX_CERTIFICATES = 2;

type Given = (typeof SOURCES)[number] | (typeof OF_CLIENTS)[number] | "caCrl";

/** Returns whether a field of the settings says something. */
export function isGiven(tls: ServerTls, field: Given): boolean {
  return (tls[field]?.length ?? 0) > 0;
}

/** Checks where certificates come from, what is asked of clients, and the parameters of the connections. */
export function checkServerTls(tls: ServerTls, at: FieldPath, findings: Findings): void {
  for (const field of FILES) checkFile(tls[field], [...at, field], findings);
  each(tls.tlsCertificates, [...at, "tlsCertificates"], (pair, path) => {
    for (const field of PAIR) checkFile(pair[field], [...path, field], findings);
  });
  checkParameters(tls, at, findings);
  const mode = tls.mode ?? "PASSTHROUGH";
  if (mode === "ISTIO_MUTUAL") {
    for (const field of [...SOURCES, "caCertificates", "caCrl"] as const)
      if (isGiven(tls, field)) findings.error([...at, field], "cannot be given: mode ISTIO_MUTUAL uses the mesh's own");
  } else if (isPassedOn(mode)) {
    for (const field of [...SOURCES, "caCrl"] as const)
      if (isGiven(tls, field)) findings.warn([...at, field], `is not used by mode ${mode}`);
  } else checkCertificates(tls, mode, at, findings);
  checkClients(tls, mode, at, findings);
}

const SHA256_BASE64 = /^[A-Za-z0-9+/]{43}=$/;
const SHA256_HEX = /^(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})$/;

function checkClients(tls: ServerTls, mode: string, at: FieldPath, findings: Findings): void {
  const asksForMore = mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
  const unused = asksForMore
    ? []
    : OF_CLIENTS.filter((field) => mode !== "ISTIO_MUTUAL" || field !== "subjectAltNames");
  for (const field of unused)
    if (isGiven(tls, field) && !findings.failedUnder([...at, field]))
      findings.warn([...at, field], `is not asked for by mode ${mode}`);
  each(tls.verifyCertificateSpki, [...at, "verifyCertificateSpki"], (hash, path) => {
    if (!SHA256_BASE64.test(hash)) findings.error(path, "must be a SHA-256 in base64: 44 characters");
  });
  each(tls.verifyCertificateHash, [...at, "verifyCertificateHash"], (hash, path) => {
    if (!SHA256_HEX.test(hash))
      findings.error(path, "must be a SHA-256 in hexadecimal: 64 digits, or pairs with colons");
  });
}

function checkCertificates(tls: ServerTls, mode: string, at: FieldPath, findings: Findings): void {
  const inFiles = isGiven(tls, "serverCertificate") && isGiven(tls, "privateKey");
  const named = (["credentialName", "credentialNames"] as const).filter((field) => isGiven(tls, field));
  const sources = [
    ...named,
    ...(inFiles ? ["serverCertificate"] : []),
    ...(isGiven(tls, "tlsCertificates") ? ["tlsCertificates"] : []),
  ];
  if (sources.length > 1)
    findings.error([...at, sources[1] ?? ""], `cannot stand beside ${sources[0]}: certificates come from one place`);
  for (const field of ["credentialNames", "tlsCertificates"] as const)
    if ((tls[field]?.length ?? 0) > MAX_CERTIFICATES) findings.error([...at, field], "can have at most 2 entries");
  if (isGiven(tls, "caCrl") && isGiven(tls, "credentialName"))
    findings.error([...at, "caCrl"], "cannot stand beside credentialName: its Secret has the list (crl or ca.crl)");
  if (isGiven(tls, "caCrl") && mode === "SIMPLE")
    findings.error([...at, "caCrl"], "cannot be given: mode SIMPLE asks for no certificates of clients");
  if (named.length > 0 || findings.failedUnder(at)) return;
  if (mode !== "SIMPLE" && !isGiven(tls, "caCertificates"))
    findings.error([...at, "caCertificates"], `is required by mode ${mode}, unless credentialName has it`);
  checkFiles(tls, mode, at, findings);
}

function checkFiles(tls: ServerTls, mode: string, at: FieldPath, findings: Findings): void {
  if (SOURCES.every((field) => !isGiven(tls, field)))
    return findings.error(
      [...at, "credentialName"],
      `is required by mode ${mode}: it names the Secret with the certificate`,
    );
  const pairs = isGiven(tls, "tlsCertificates")
    ? (tls.tlsCertificates ?? []).map((pair, index) => [pair, [...at, "tlsCertificates", index]] as const)
    : [[tls, at] as const];
  for (const [pair, path] of pairs)
    for (const field of PAIR)
      if ((pair?.[field] ?? "") === "") findings.error([...path, field], "is required: a certificate has two parts");
}

function checkParameters(tls: ServerTls, at: FieldPath, findings: Findings): void {
  each(tls.cipherSuites, [...at, "cipherSuites"], (suite, path) => {
    if (!CIPHER_SUITES.has(suite)) findings.warn(path, `Envoy knows no cipher suite ${quote(suite)}: it is left out`);
  });
  each(tls.ecdhCurves, [...at, "ecdhCurves"], (curve, path) => {
    if (!ECDH_CURVES.has(curve)) findings.warn(path, `Envoy knows no curve ${quote(curve)}: it is left out`);
  });
  const { minProtocolVersion: min, maxProtocolVersion: max } = tls;
  if (min !== undefined && max !== undefined && max !== "TLS_AUTO" && min !== "TLS_AUTO" && min > max)
    findings.error([...at, "minProtocolVersion"], "is above maxProtocolVersion");
  if ((min === "TLSV1_0" || min === "TLSV1_1") && (tls.cipherSuites ?? []).length === 0)
    findings.warn(
      [...at, "minProtocolVersion"],
      "allows versions for which no cipher suite is allowed unless cipherSuites names one",
    );
}
