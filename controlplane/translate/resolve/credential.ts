// What of a Secret a proxy can use for TLS: a certificate with its key, or the authorities that sign others'.
import { type Failure, failed } from "../../model/failure.ts";
import type { MeshObject } from "../../model/object.ts";
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";

/** PEM texts. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

/** PEM texts: certificates, and lists of those that are revoked. */
export interface Authorities {
  readonly certificates: string;
  readonly revocations?: string;
}

export type CredentialFailure = Failure<"missing" | "without">;

/** What a credential by name begins with, as a resource: `kubernetes://shop-cert`. */
export const CREDENTIAL = "kubernetes://";
/** What the authorities of a credential are called, as a Secret of their own and as a resource. */
export const AUTHORITIES_SUFFIX = "-cacert";

/** Fields as Istio's generic Secrets name them, and as Kubernetes' own type does. */
const PAIRS = [
  ["cert", "key"],
  ["tls.crt", "tls.key"],
] as const;
const AUTHORITIES = [
  ["cacert", "crl"],
  ["ca.crt", "ca.crl"],
] as const;

/** Returns the name by which a proxy asks for the authorities of a credential. */
export function authorityName(credential: string): string {
  return credential + AUTHORITIES_SUFFIX;
}

/** Returns the certificate and key of a Secret by name. */
export function credentialNamed(world: World, namespace: string, name: string): Credential | CredentialFailure {
  const secret = world.get("Secret", namespace, name);
  return secret === undefined ? missing(name, namespace) : credentialOf(secret);
}

/**
 * Returns the authorities of a credential: of the Secret `<name>-cacert`, else of the Secret `name`, as in Istio. Both
 * forms of the name mean the same.
 */
export function authoritiesNamed(world: World, namespace: string, text: string): Authorities | CredentialFailure {
  const name = text.endsWith(AUTHORITIES_SUFFIX) ? text.slice(0, -AUTHORITIES_SUFFIX.length) : text;
  const secret = world.get("Secret", namespace, `${name}${AUTHORITIES_SUFFIX}`) ?? world.get("Secret", namespace, name);
  return secret === undefined ? missing(name, namespace) : authoritiesOf(secret);
}

function missing(name: string, namespace: string): CredentialFailure {
  return failed("missing", `there is no Secret ${name} in ${namespace}`);
}

/** Returns the certificate and key of a Secret; what they hold was looked at when the Secret was accepted. */
const credentialOf = memoized((secret: MeshObject<"Secret">): Credential | CredentialFailure => {
  for (const [certificateField, keyField] of PAIRS) {
    const certificate = field(secret, certificateField),
      key = field(secret, keyField);
    if (certificate !== undefined && key !== undefined) return { certificate, key };
  }
  return without(secret, "certificate with its key (tls.crt and tls.key, or cert and key)");
});

const authoritiesOf = memoized((secret: MeshObject<"Secret">): Authorities | CredentialFailure => {
  for (const [certificatesField, revocationsField] of AUTHORITIES) {
    const certificates = field(secret, certificatesField);
    if (certificates === undefined) continue;
    const revocations = field(secret, revocationsField);
    return { certificates, ...(revocations !== undefined && { revocations }) };
  }
  return without(secret, "certificates of authorities (ca.crt or cacert)");
});

function without({ metadata }: MeshObject<"Secret">, what: string): CredentialFailure {
  return failed("without", `the Secret ${metadata.name} in ${metadata.namespace} has no ${what}`);
}

function field({ spec }: MeshObject<"Secret">, name: string): string | undefined {
  const encoded = spec.data?.[name];
  const text =
    spec.stringData?.[name] ?? (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"));
  return text === "" ? undefined : text;
}
