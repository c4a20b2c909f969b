// The root that a mesh begins with: a certificate that signs itself.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { newSigner, signCertificate } from "./x509.ts";

const ROOT_LIFETIME_MS = 3_650 * 24 * 3_600_000;
/** Clocks of proxies may be behind by this much. */
export const BACKDATED_MS = 120_000;

/** A new private key, P-256, in PEM. */
export function createKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** The root certificate of a trust domain for this key, in PEM, valid for ten years. */
export function createRoot(trustDomain: string, keyPem: string, nowMs: number): string {
  const privateKey = createPrivateKey(keyPem);
  const publicKey = createPublicKey(privateKey);
  const commonName = `Scrim root of ${trustDomain}`;
  const template = {
    publicKey,
    commonName,
    isAuthority: true,
    uris: [`spiffe://${trustDomain}`],
    dnsNames: [],
    ipAddresses: [],
    notBeforeMs: nowMs - BACKDATED_MS,
    notAfterMs: nowMs + ROOT_LIFETIME_MS,
  };
  return signCertificate(template, newSigner(commonName, publicKey, privateKey));
}
