// What of a Secret a gateway can show: a certificate and its key.
import type { MeshObject } from "../../model/object.ts";

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

function field({ spec }: MeshObject<"Secret">, name: string): string | undefined {
  const encoded = spec.data?.[name];
  return (
    spec.stringData?.[name] ?? (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"))
  );
}
