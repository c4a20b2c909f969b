// What a Secret and a ConfigMap must hold. Messages never contain a secret's content.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { FieldPath } from "../../model/document.ts";
import type { ConfigMapSpec, SecretSpec } from "../../model/kinds/config.ts";
import { type CheckContext, eachEntry, type Loose } from "../checks.ts";
import { isMeshConfigMap, readMeshConfig } from "../mesh-config.ts";
import type { Findings } from "../violation.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Names of certificate, key and CA in secrets of type kubernetes.io/tls and in Istio's generic ones. */
const PAIRS = [
  ["tls.crt", "tls.key"],
  ["cert", "key"],
] as const;
const AUTHORITIES = ["ca.crt", "cacert"] as const;
const REVOCATIONS = ["ca.crl", "crl"] as const;

/** Checks a Secret. */
export function checkSecret(spec: Loose<SecretSpec>, at: FieldPath, findings: Findings): void {
  eachEntry(spec.data, [...at, "data"], (_key, value, path) => {
    if (!BASE64.test(value.replaceAll(/\s/g, ""))) findings.error(path, "is not base64");
  });
  if (spec.type === "kubernetes.io/tls") {
    for (const name of PAIRS[0])
      if (contentOf(spec, name) === undefined)
        findings.error([...at, "data", name], "is required by type kubernetes.io/tls");
  }
  for (const [certName, keyName] of PAIRS) checkPair(spec, certName, keyName, at, findings);
  for (const name of AUTHORITIES) {
    const content = contentOf(spec, name);
    if (content && parseCertificates(content) === undefined)
      findings.error(placeOf(spec, name, at), "is not a PEM certificate");
  }
  for (const name of REVOCATIONS) {
    const content = contentOf(spec, name);
    if (content && !content.includes("-----BEGIN X509 CRL-----"))
      findings.error(placeOf(spec, name, at), "is not a PEM list of revoked certificates");
  }
}

function checkPair(
  spec: Loose<SecretSpec>,
  certName: string,
  keyName: string,
  at: FieldPath,
  findings: Findings,
): void {
  const [certText, keyText] = [contentOf(spec, certName), contentOf(spec, keyName)];
  // Generic secrets use short names for other things too: only a pair is taken for TLS. Empty: not issued yet.
  if (!certText || !keyText) return;
  const [certificate, key] = [parseCertificates(certText)?.[0], parseKey(keyText)];
  if (certificate === undefined) findings.error(placeOf(spec, certName, at), "is not a PEM certificate");
  if (key === undefined) findings.error(placeOf(spec, keyName, at), "is not a PEM private key");
  if (certificate === undefined || key === undefined) return;
  const fault = certificate.checkPrivateKey(key) ? keyFault(key) : `is not the key of ${certName}`;
  if (fault !== undefined) findings.error(placeOf(spec, keyName, at), fault);
}

/** Envoy takes no others. */
function keyFault({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  if (type === "rsa") return (details?.modulusLength ?? 0) < 2_048 ? "is an RSA key of less than 2048 bits" : undefined;
  const curve = details?.namedCurve ?? "";
  if (type === "ec" && ["prime256v1", "secp384r1", "secp521r1"].includes(curve)) return undefined;
  return `is a key of a kind that Envoy does not take: ${type} ${curve}`.trim();
}

function contentOf(spec: Loose<SecretSpec>, name: string): string | undefined {
  const plain = own(spec.stringData, name);
  const encoded = own(spec.data, name);
  return plain ?? (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"));
}

function own(map: Readonly<Record<string, string | undefined>> | undefined, name: string): string | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}

function placeOf(spec: Loose<SecretSpec>, name: string, at: FieldPath): FieldPath {
  return [...at, own(spec.stringData, name) === undefined ? "data" : "stringData", name];
}

/** All that are in the text; undefined where there is none, or one cannot be read. */
function parseCertificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  try {
    return blocks?.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** Checks a ConfigMap: of Istio's own, the MeshConfig in it. */
export function checkConfigMap(
  spec: Loose<ConfigMapSpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  if (!isMeshConfigMap(context.namespace, context.name)) return;
  const text = own(spec.data, "mesh");
  if (text === undefined) return;
  const { discoverySelectors = [] } = readMeshConfig(text, [...at, "data", "mesh"], findings);
  if (discoverySelectors.length > 0 && !context.isOfCluster)
    findings.warn([...at, "data", "mesh"], "discoverySelectors: has no effect: all of a directory is of the mesh");
}
