// consumes: what it signs with, a clock
// produces: X.509-SVIDs of workloads, certificates of the control plane's own ports
// never does: decide who may have an identity, or sign what outlives its own certificate
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { type Failure, ScrimError } from "../model/failure.ts";
import { parseSpiffeId, type SpiffeId } from "../model/spiffe.ts";
import { openDirectoryStore, type StoreFault } from "./directory-store.ts";
import { BACKDATED_MS } from "./root.ts";
import type { SigningIdentity } from "./signing-identity.ts";
import { type CertificateTemplate, signCertificate, validityOf } from "./x509.ts";

/** A certificate with its key, in PEM. */
export interface IssuedCertificate {
  /** The leaf, then what leads to the root. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/** What a certificate of the control plane's own is for. */
export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface Authority {
  readonly trustDomain: string;
  /** What proxies trust, in PEM. */
  readonly rootPem: string;
  readonly workloadLifetimeMs: number;
  /** An X.509-SVID with a fresh key. Throws RangeError for an id outside the trust domain. */
  issueWorkloadCertificate(id: SpiffeId): IssuedCertificate;
  /** A certificate for ports of the control plane. */
  issueServerCertificate(names: ServerNames): IssuedCertificate;
}

export interface AuthorityOptions {
  readonly trustDomain: string;
  readonly clock: { nowMs(): number };
  /** How long workload certificates hold; 24 hours when left out, 7 days at most. */
  readonly workloadLifetimeMs?: number | undefined;
}

export type AuthorityOpening =
  | { readonly kind: "open"; readonly authority: Authority }
  /** The CA must not start; xDS may go on with the root and without new certificates. */
  | Failure<StoreFault>;

const DAY_MS = 24 * 3_600_000;
const SERVER_LIFETIME_MS = 365 * DAY_MS;
const MAX_WORKLOAD_LIFETIME_MS = 7 * DAY_MS;

/** The authority in a directory; see openDirectoryStore. */
export function openAuthority({
  directory,
  ...options
}: AuthorityOptions & { readonly directory: string }): AuthorityOpening {
  const identity = openDirectoryStore(directory, options.trustDomain, options.clock.nowMs());
  return identity.kind === "failed" ? identity : { kind: "open", authority: createAuthority(options, identity) };
}

/** The authority that signs with this. */
export function createAuthority(
  { trustDomain, clock, ...options }: AuthorityOptions,
  identity: SigningIdentity,
): Authority {
  const workloadLifetimeMs = Math.min(options.workloadLifetimeMs ?? DAY_MS, MAX_WORKLOAD_LIFETIME_MS);
  return {
    trustDomain,
    rootPem: identity.rootsPem,
    workloadLifetimeMs,
    issueWorkloadCertificate(id) {
      const workload = parseSpiffeId(id);
      if (workload === undefined || workload.trustDomain !== trustDomain)
        throw new RangeError(`${id} is no identity of ${trustDomain}`);
      const names = { commonName: undefined, uris: [id], dnsNames: [], ipAddresses: [] };
      return issue(names, workloadLifetimeMs, identity, clock.nowMs());
    },
    issueServerCertificate: ({ dnsNames, ipAddresses }) =>
      issue(
        // A common name has 64 characters at most (RFC 5280, upper bounds).
        { commonName: dnsNames.find(({ length }) => length <= 64), uris: [], dnsNames, ipAddresses },
        SERVER_LIFETIME_MS,
        identity,
        clock.nowMs(),
      ),
  };
}

type Names = Pick<CertificateTemplate, "commonName" | "uris" | "dnsNames" | "ipAddresses">;

/** Template, signature, check of what was signed. */
function issue(names: Names, lifetimeMs: number, identity: SigningIdentity, nowMs: number): IssuedCertificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // Certificates count in whole seconds.
  const notAfterMs = Math.floor(Math.min(nowMs + lifetimeMs, identity.notAfterMs) / 1000) * 1000;
  const notBeforeMs = Math.max(nowMs - BACKDATED_MS, validityOf(identity.certificate).notBeforeMs);
  const template = { ...names, publicKey, isAuthority: false, notBeforeMs, notAfterMs };
  const leafPem = signCertificate(template, identity.issuer);
  checkSigned(new X509Certificate(leafPem), template, identity, privateKey);
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { chainPem: leafPem + identity.chainPem, keyPem, notBeforeMs, expiresAtMs: notAfterMs };
}

/** What was signed must be what was meant; anything else is a bug that must not leave this process. */
function checkSigned(
  certificate: X509Certificate,
  template: CertificateTemplate,
  { certificate: issuer, notAfterMs }: SigningIdentity,
  key: Parameters<X509Certificate["checkPrivateKey"]>[0],
): void {
  const names = [
    ...template.uris.map((uri) => `URI:${uri}`),
    ...template.dnsNames.map((dns) => `DNS:${dns}`),
    ...template.ipAddresses.map((ip) => `IP Address:${ip}`),
  ].join(", ");
  const isRight =
    certificate.verify(issuer.publicKey) &&
    certificate.checkIssued(issuer) &&
    certificate.checkPrivateKey(key) &&
    !certificate.ca &&
    certificate.subjectAltName === names;
  const isInTime = validityOf(certificate).notAfterMs <= Math.min(notAfterMs, template.notAfterMs);
  if (!isRight || !isInTime)
    throw new ScrimError("wrong-certificate", "the certificate that was signed is not the one that was meant");
}
