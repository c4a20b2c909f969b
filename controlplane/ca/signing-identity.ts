// What an authority signs with, checked: its certificate and key, what leads from it to a root, and the roots.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Failure, failed } from "../model/failure.ts";
import { type Signer, signerOf, validityOf } from "./x509.ts";

/** PEM texts, under the names that Istio's Secrets have for them. */
export interface SigningFiles {
  readonly "ca-cert.pem": string;
  readonly "ca-key.pem": string;
  /** What leads to the root; "" where it is the root that signs. */
  readonly "cert-chain.pem": string;
  /** Every root that is trusted. */
  readonly "root-cert.pem": string;
}

export interface SigningIdentity {
  readonly kind: "signing";
  readonly certificate: X509Certificate;
  readonly issuer: Signer;
  /** What follows a leaf, in PEM, up to its root and without it. */
  readonly chainPem: string;
  readonly rootsPem: string;
  /** The root that it leads to. */
  readonly root: X509Certificate;
  /** When the first of all that lead to the root ends. */
  readonly notAfterMs: number;
}

/** What is wrong with what an authority was given. */
export type SigningFault =
  | "certificate-unreadable"
  | "key-unreadable"
  | "key-mismatch"
  | "not-an-authority"
  | "weak-key"
  | "chain-broken"
  | "expired";

const MAX_PEM_LENGTH = 256 * 1024;
const LONGEST_PATH = 8;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1"]);

/**
 * Returns what these files make an authority of. `place` is what they are called where they stand: a path, or a
 * Secret's key.
 */
export function readSigningIdentity(
  files: SigningFiles,
  place: (file: keyof SigningFiles) => string,
  nowMs: number,
): SigningIdentity | Failure<SigningFault> {
  const key = keyIn(files["ca-key.pem"]);
  if (key === undefined) return failed("key-unreadable", `${place("ca-key.pem")} is not a private key in PEM`);
  const [own, chain, roots] = (["ca-cert.pem", "cert-chain.pem", "root-cert.pem"] as const).map((file) =>
    certificatesIn(files[file]),
  );
  const certificate = own?.[0];
  if (certificate === undefined)
    return failed("certificate-unreadable", `${place("ca-cert.pem")} is not a certificate in PEM`);
  if (chain === undefined || (chain.length === 0 && files["cert-chain.pem"].trim() !== ""))
    return failed("certificate-unreadable", `${place("cert-chain.pem")} holds more than certificates in PEM`);
  if (roots === undefined || roots.length === 0)
    return failed("certificate-unreadable", `${place("root-cert.pem")} is not a certificate in PEM`);
  if (!certificate.checkPrivateKey(key))
    return failed("key-mismatch", `${place("ca-key.pem")} is not the key of ${place("ca-cert.pem")}`);
  if (!isStrong(key))
    return failed("weak-key", `${place("ca-key.pem")} is neither RSA of 2048 bits nor P-256 or P-384`);
  if (!certificate.ca)
    return failed("not-an-authority", `${place("ca-cert.pem")} may not sign: its basic constraints do not say CA`);
  const path = pathToRoot(certificate, chain, roots);
  if (path === undefined)
    return failed(
      "chain-broken",
      `${place("ca-cert.pem")} does not lead to ${place("root-cert.pem")} by way of ${place("cert-chain.pem")}`,
    );
  const notAfterMs = Math.min(...path.map((one) => validityOf(one).notAfterMs));
  const ended = path.find((one) => validityOf(one).notAfterMs <= nowMs);
  if (ended !== undefined)
    return failed(
      "expired",
      `${place("ca-cert.pem")} leads to its root by a certificate that expired: ${ended.validTo}`,
    );
  const root = path.at(-1) as X509Certificate;
  return {
    kind: "signing",
    ...{ certificate, issuer: signerOf(certificate, key), root, notAfterMs },
    chainPem: path
      .slice(0, -1)
      .map((one) => one.toString())
      .join(""),
    rootsPem: roots.map((one) => one.toString()).join(""),
  };
}

/** Whether what a root here signed is trusted by who trusts those roots. */
export function trusts(rootsPem: string, { root }: Pick<SigningIdentity, "root">): boolean {
  return certificatesIn(rootsPem)?.some((one) => one.raw.equals(root.raw)) ?? false;
}

function keyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** Undefined where one of them is none. */
function certificatesIn(pem: string): readonly X509Certificate[] | undefined {
  if (pem.length > MAX_PEM_LENGTH) return undefined;
  try {
    return (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function isStrong({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === "rsa") return (details?.modulusLength ?? 0) >= 2_048;
  return type === "ec" && CURVES.has(details?.namedCurve ?? "");
}

/** From the certificate to a root, both among them; it may be a root itself. */
function pathToRoot(
  from: X509Certificate,
  between: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): readonly X509Certificate[] | undefined {
  const path = [from];
  while (path.length < LONGEST_PATH) {
    const last = path.at(-1) as X509Certificate;
    if (roots.some((root) => root.raw.equals(last.raw))) return path;
    const next = [...roots, ...between].find((one) => !path.includes(one) && hasIssued(one, last));
    if (next === undefined) return undefined;
    path.push(next);
  }
  return undefined;
}

function hasIssued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}
