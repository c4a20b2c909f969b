// What of a Secret a proxy can show, and what it checks others by: a certificate and its key, and authorities.
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../world/world.ts";

/** PEM texts. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

/** As Kubernetes' own type names them, and as Istio's generic secrets do. */
const PAIRS = [
  ["tls.crt", "tls.key"],
  ["cert", "key"],
] as const;

/** Returns the certificate and key of a Secret; undefined when it has no pair of them. */
export function credentialOf(secret: MeshObject<"Secret"> | undefined): Credential | undefined {
  if (secret === undefined) return undefined;
  for (const [certificateField, keyField] of PAIRS) {
    const certificate = field(secret, certificateField),
      key = field(secret, keyField);
    if (certificate !== undefined && key !== undefined) return { certificate, key };
  }
  return undefined;
}

/** As Istio's generic secrets name them. */
const AUTHORITIES = ["ca.crt", "cacert"] as const;
/** What Istio calls the Secret that holds the authorities beside a credential's certificate. */
const AUTHORITY_SUFFIX = "-cacert";

/** Returns the name by which a proxy asks for the authorities of a credential. */
export function authorityName(credential: string): string {
  return credential + AUTHORITY_SUFFIX;
}

/**
 * Returns the authorities (PEM) that a namespace has under such a name: of the Secret so called, else of the
 * credential's own; undefined when neither has any.
 */
export function authoritiesOf(world: World, namespace: string, name: string): string | undefined {
  const own = world.get("Secret", namespace, name);
  const beside = name.endsWith(AUTHORITY_SUFFIX)
    ? world.get("Secret", namespace, name.slice(0, -AUTHORITY_SUFFIX.length))
    : undefined;
  for (const secret of [own, beside])
    for (const name of AUTHORITIES) {
      const text = secret && field(secret, name);
      if (text !== undefined) return text;
    }
  return undefined;
}

function field({ spec }: MeshObject<"Secret">, name: string): string | undefined {
  const encoded = spec.data?.[name];
  return (
    spec.stringData?.[name] ?? (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"))
  );
}
