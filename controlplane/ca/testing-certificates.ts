// Certificates as people bring them along, for tests.
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { createKey, createRoot } from "./root.ts";
import type { SigningFiles } from "./signing-identity.ts";
import { signCertificate, signerOf } from "./x509.ts";

const DAY_MS = 24 * 3_600_000;

/** A certificate and its key, in PEM. */
export interface Pair {
  readonly pem: string;
  readonly key: string;
}

/** A root as Scrim makes one. */
export function rootPair(trustDomain = "cluster.local", nowMs = Date.now()): Pair {
  const key = createKey();
  return { key, pem: createRoot(trustDomain, key, nowMs) };
}

/** What a CA has signed, under a name of its own and with whatever key; a CA itself unless it is said to be none. */
export function signedBy(
  issuer: Pair,
  { isAuthority = true, key = createKey(), lifeMs = 365 * DAY_MS, nowMs = Date.now() } = {},
): Pair {
  const template = {
    ...{ uris: [], dnsNames: [], ipAddresses: [], isAuthority },
    ...{ commonName: "Intermediate CA", publicKey: createPublicKey(key) },
    ...{ notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + lifeMs },
  };
  const signer = signerOf(new X509Certificate(issuer.pem), createPrivateKey(issuer.key));
  return { key, pem: signCertificate(template, signer) };
}

/** The files of an authority that signs with this. */
export function filesOf(own: Pair, chain: readonly Pair[], roots: readonly Pair[]): SigningFiles {
  const join = (pairs: readonly Pair[]) => pairs.map(({ pem }) => pem).join("");
  return { "ca-cert.pem": own.pem, "ca-key.pem": own.key, "cert-chain.pem": join(chain), "root-cert.pem": join(roots) };
}
