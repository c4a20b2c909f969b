// How a server of a Gateway ends TLS: its certificates, what it asks of clients, and the names of the secrets with both.
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import { CIPHER_SUITES, ECDH_CURVES, type ServerTlsSpec } from "../../model/kinds/gateway.ts";
import type { World } from "../../world/world.ts";
import type { ClientCertificates, GatewayTls } from "../ir/gateway.ts";
import { AUTHORITIES_SUFFIX, authoritiesNamed, CREDENTIAL, credentialNamed } from "./credential.ts";

/** Files of the gateway's own, as Istio names them: `file-cert:/c.pem~/k.pem`, `file-root:/ca.pem`. */
export const CERTIFICATE_FILES = "file-cert:";
export const AUTHORITIES_FILES = "file-root:";

/**
 * Returns how a server ends TLS at gateways of a namespace, whose Secrets alone it can have: whoever may write a
 * Gateway is not to be shown another namespace's. Fails where something that it needs is not there, or broken: such a
 * server stays closed, and others are not touched.
 */
export function resolveServerTls(world: World, namespace: string, spec: ServerTlsSpec): GatewayTls | Failure {
  if (spec.mode === "ISTIO_MUTUAL") return { kind: "mesh", identities: spec.subjectAltNames ?? [] };
  const certificates = certificatesOf(world, namespace, spec);
  if (isFailed(certificates)) return certificates;
  const clients = clientsOf(world, namespace, spec);
  if (clients !== undefined && isFailed(clients)) return clients;
  const { minProtocolVersion: min, maxProtocolVersion: max } = spec;
  return {
    kind: "own",
    certificates,
    ...(clients && { clients }),
    // What nobody asks for, and what is left to Envoy, is its own default; what it does not know is left out.
    ...(min !== undefined && min !== "TLS_AUTO" && { minVersion: min }),
    ...(max !== undefined && max !== "TLS_AUTO" && { maxVersion: max }),
    cipherSuites: [...new Set(spec.cipherSuites ?? [])].filter((suite) => CIPHER_SUITES.has(suite)),
    curves: (spec.ecdhCurves ?? []).filter((curve) => ECDH_CURVES.has(curve)),
  };
}

/** Returns the names of the credentials whose certificates a server shows. */
export function credentialNamesOf({ credentialName, credentialNames = [] }: ServerTlsSpec): readonly string[] {
  return credentialNames.length > 0 ? credentialNames : credentialName === undefined ? [] : [credentialName];
}

function certificatesOf(world: World, namespace: string, spec: ServerTlsSpec): readonly string[] | Failure {
  const names = credentialNamesOf(spec);
  if (names.length === 0) return filesOf(spec).map(([certificate, key]) => `${CERTIFICATE_FILES}${certificate}~${key}`);
  const resources: string[] = [];
  for (const text of names) {
    const name = secretName(text, namespace);
    if (isFailed(name)) return name;
    const credential = credentialNamed(world, namespace, name.name);
    if (isFailed(credential)) return credential;
    resources.push(`${CREDENTIAL}${name.name}`);
  }
  return resources;
}

function filesOf({ tlsCertificates = [], serverCertificate, privateKey }: ServerTlsSpec) {
  const pairs = tlsCertificates.length > 0 ? tlsCertificates : [{ serverCertificate, privateKey }];
  return pairs.map((pair) => [pair.serverCertificate ?? "", pair.privateKey ?? ""] as const);
}

function clientsOf(world: World, namespace: string, spec: ServerTlsSpec): ClientCertificates | Failure | undefined {
  if (spec.mode !== "MUTUAL" && spec.mode !== "OPTIONAL_MUTUAL") return undefined;
  const authorities = authoritiesOf(world, namespace, spec);
  if (typeof authorities !== "string") return authorities;
  return {
    required: spec.mode === "MUTUAL",
    authorities,
    subjectAltNames: spec.subjectAltNames ?? [],
    keyHashes: spec.verifyCertificateSpki ?? [],
    certificateHashes: spec.verifyCertificateHash ?? [],
  };
}

/** Of several credentials the first has the authorities. */
function authoritiesOf(world: World, namespace: string, spec: ServerTlsSpec): string | Failure {
  const [text] = spec.caCertCredentialName ? [spec.caCertCredentialName] : credentialNamesOf(spec);
  if (text === undefined)
    return `${AUTHORITIES_FILES}${spec.caCertificates ?? ""}${spec.caCrl ? `~${spec.caCrl}` : ""}`;
  const name = secretName(text, namespace);
  if (isFailed(name)) return name;
  const authorities = authoritiesNamed(world, namespace, name.name);
  if (isFailed(authorities)) return authorities;
  return `${CREDENTIAL}${name.name.endsWith(AUTHORITIES_SUFFIX) ? name.name : `${name.name}${AUTHORITIES_SUFFIX}`}`;
}

/** A bare name, or Istio's `kubernetes://name` and `kubernetes://namespace/name`. */
function secretName(text: string, namespace: string): { readonly name: string } | Failure {
  const [scheme, rest] = text.includes("://") ? text.split("://", 2) : ["kubernetes", text];
  if (scheme !== "kubernetes") return failed("scheme", `credentials by ${scheme}:// are not supported yet`);
  const [owner, name] = rest?.includes("/") ? rest.split("/", 2) : [namespace, rest];
  return owner === namespace
    ? { name: name ?? "" }
    : failed("foreign", `the Secret ${rest} is not of ${namespace}, the gateway's own namespace`);
}
