// consumes: a directory of its own, a clock
// produces: X.509-SVIDs of workloads, certificates of the control plane's own ports
// never does: decide who may have an identity, or make a second root in silence
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePrivateDirectory } from "../disk/private-directory.ts";
import { replaceFileForGood } from "../disk/replace-file.ts";
import { type Failure, failed, ScrimError } from "../model/failure.ts";
import { parseSpiffeId, type SpiffeId } from "../model/spiffe.ts";
import { type CertificateTemplate, type Signer, signCertificate, validityOf } from "./x509.ts";

/** A certificate with its key, in PEM. */
export interface IssuedCertificate {
  /** The leaf, then what leads to the root (nothing yet: the root signs). */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

export interface Authority {
  readonly trustDomain: string;
  /** What proxies trust, in PEM; also in `<directory>/root-cert.pem`. */
  readonly rootPem: string;
  readonly workloadLifetimeMs: number;
  /** An X.509-SVID with a fresh key. Throws RangeError for an id outside the trust domain. */
  issueWorkloadCertificate(id: SpiffeId): IssuedCertificate;
  /** A certificate for ports of the control plane. */
  issueServerCertificate(names: {
    readonly dnsNames: readonly string[];
    readonly ipAddresses: readonly string[];
  }): IssuedCertificate;
}

export interface AuthorityOptions {
  /** `<state>/ca` */
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: { nowMs(): number };
  /** How long workload certificates hold; 24 hours when left out, 7 days at most. */
  readonly workloadLifetimeMs?: number | undefined;
}

/** Why an authority must not start. */
export type AuthorityFault =
  | "unwritable"
  | "key-missing"
  | "key-unreadable"
  | "root-unreadable"
  | "key-mismatch"
  | "root-expired"
  | "other-trust-domain";

export type AuthorityOpening =
  | { readonly kind: "open"; readonly authority: Authority }
  /** The CA must not start; xDS may go on with the root and without new certificates. */
  | Failure<AuthorityFault>;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ROOT_LIFETIME_MS = 3_650 * DAY_MS;
const SERVER_LIFETIME_MS = 365 * DAY_MS;
const MAX_WORKLOAD_LIFETIME_MS = 7 * DAY_MS;
/** Clocks of proxies may be behind by this much. */
const BACKDATED_MS = 120_000;

/**
 * The authority in a directory; made on first use. Refuses a root whose key is missing, unreadable or another's, and an
 * expired root: minting a new one would cut off every workload that trusts the old one.
 */
export function openAuthority(options: AuthorityOptions): AuthorityOpening {
  const { directory, clock } = options;
  const rootPath = join(directory, "root-cert.pem");
  const keyPath = join(directory, "ca-key.pem");
  try {
    ensurePrivateDirectory(directory);
    if (!existsSync(rootPath)) createRoot(rootPath, keyPath, options.trustDomain, clock.nowMs());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failed("unwritable", `${directory} cannot be written (${why}): make room there, or make it writable`);
  }
  if (!existsSync(keyPath))
    return failed(
      "key-missing",
      `${keyPath} is missing beside ${rootPath}: put the key back, or remove the root to start a new trust`,
    );
  const rootPem = readFileSync(rootPath, "utf8");
  const key = readKey(keyPath);
  const root = readRoot(rootPem);
  if (key === undefined) return failed("key-unreadable", `${keyPath} is not a private key in PEM`);
  if (root === undefined) return failed("root-unreadable", `${rootPath} is not a certificate in PEM`);
  if (!root.checkPrivateKey(key)) return failed("key-mismatch", `${keyPath} is not the key of ${rootPath}`);
  if (validityOf(root).notAfterMs <= clock.nowMs())
    return failed("root-expired", `${rootPath} expired on ${root.validTo}`);
  if (!rootUris(root).includes(`spiffe://${options.trustDomain}`))
    return failed("other-trust-domain", `${rootPath} is of another trust domain than ${options.trustDomain}`);
  return { kind: "open", authority: createAuthority(options, root, rootPem, key) };
}

/**
 * The key is durable before the root is: a kill between the two leaves a key that nothing depends on yet, which is
 * used.
 */
function createRoot(rootPath: string, keyPath: string, trustDomain: string, nowMs: number): void {
  if (!existsSync(keyPath)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    replaceFileForGood(keyPath, privateKey.export({ type: "pkcs8", format: "pem" }) as string, 0o600);
  }
  const privateKey = createPrivateKey(readFileSync(keyPath, "utf8"));
  const publicKey = createPublicKey(privateKey);
  const commonName = rootName(trustDomain);
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
  replaceFileForGood(rootPath, signCertificate(template, { commonName, publicKey, privateKey }), 0o644);
}

function rootName(trustDomain: string): string {
  return `Scrim root of ${trustDomain}`;
}

function readKey(path: string): KeyObject | undefined {
  try {
    return createPrivateKey(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function readRoot(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function rootUris(root: X509Certificate): string[] {
  return (root.subjectAltName ?? "")
    .split(", ")
    .filter((name) => name.startsWith("URI:"))
    .map((name) => name.slice(4));
}

/** The root with its key. */
interface Root {
  readonly certificate: X509Certificate;
  readonly issuer: Signer;
}

type Names = Pick<CertificateTemplate, "commonName" | "uris" | "dnsNames" | "ipAddresses">;

function createAuthority(
  { trustDomain, clock, ...options }: AuthorityOptions,
  certificate: X509Certificate,
  rootPem: string,
  privateKey: KeyObject,
): Authority {
  const issuer = { commonName: rootName(trustDomain), publicKey: certificate.publicKey, privateKey };
  const root: Root = { certificate, issuer };
  const workloadLifetimeMs = Math.min(options.workloadLifetimeMs ?? DAY_MS, MAX_WORKLOAD_LIFETIME_MS);
  return {
    trustDomain,
    rootPem,
    workloadLifetimeMs,
    issueWorkloadCertificate(id) {
      const identity = parseSpiffeId(id);
      if (identity === undefined || identity.trustDomain !== trustDomain)
        throw new RangeError(`${id} is no identity of ${trustDomain}`);
      const names = { commonName: undefined, uris: [id], dnsNames: [], ipAddresses: [] };
      return issue(names, workloadLifetimeMs, root, clock.nowMs());
    },
    issueServerCertificate: ({ dnsNames, ipAddresses }) =>
      issue({ commonName: dnsNames[0], uris: [], dnsNames, ipAddresses }, SERVER_LIFETIME_MS, root, clock.nowMs()),
  };
}

/** Template, signature, check of what was signed. */
function issue(names: Names, lifetimeMs: number, { certificate, issuer }: Root, nowMs: number): IssuedCertificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rootValidity = validityOf(certificate);
  // Certificates count in whole seconds.
  const notAfterMs = Math.floor(Math.min(nowMs + lifetimeMs, rootValidity.notAfterMs) / 1000) * 1000;
  const notBeforeMs = Math.max(nowMs - BACKDATED_MS, rootValidity.notBeforeMs);
  const template = { ...names, publicKey, isAuthority: false, notBeforeMs, notAfterMs };
  const chainPem = signCertificate(template, issuer);
  checkSigned(new X509Certificate(chainPem), template, certificate, privateKey);
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { chainPem, keyPem, notBeforeMs, expiresAtMs: notAfterMs };
}

/** What was signed must be what was meant; anything else is a bug that must not leave this process. */
function checkSigned(
  certificate: X509Certificate,
  template: CertificateTemplate,
  root: X509Certificate,
  key: KeyObject,
): void {
  const names = [
    ...template.uris.map((uri) => `URI:${uri}`),
    ...template.dnsNames.map((dns) => `DNS:${dns}`),
    ...template.ipAddresses.map((ip) => `IP Address:${ip}`),
  ].join(", ");
  const isRight =
    certificate.verify(root.publicKey) &&
    certificate.checkIssued(root) &&
    certificate.checkPrivateKey(key) &&
    !certificate.ca &&
    certificate.subjectAltName === names;
  const isInTime = validityOf(certificate).notAfterMs <= Math.min(validityOf(root).notAfterMs, template.notAfterMs);
  if (!isRight || !isInTime)
    throw new ScrimError("wrong-certificate", "the certificate that was signed is not the one that was meant");
}
