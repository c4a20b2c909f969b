import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import forge from "node-forge";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SpiffeId, spiffeId } from "../model/spiffe.ts";
import { type Authority, type AuthorityOpening, openAuthority } from "./authority.ts";
import { createWorkloadSecrets } from "./workload-secrets.ts";
import { validityOf } from "./x509.ts";

const HOUR_MS = 3_600_000;
const startMs = Date.parse("2026-01-01T00:00:00Z");
const reviews = spiffeId("cluster.local", "default", "bookinfo-reviews");

let directory: string;
let nowMs: number;
const clock = { nowMs: () => nowMs, sleep: async (ms: number) => void (nowMs += ms) };

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "scrim-ca-")), "ca");
  nowMs = startMs;
});
afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));

function open(workloadLifetimeMs?: number): Authority {
  const opening = openAuthority({ directory, trustDomain: "cluster.local", clock, workloadLifetimeMs });
  if (opening.kind === "failed") throw new Error(opening.message);
  return opening.authority;
}

function reopen(): AuthorityOpening {
  return openAuthority({ directory, trustDomain: "cluster.local", clock });
}

/** The extensions of a certificate by OID: whether critical, and the DER inside as latin1. */
function extensionsOf(pem: string): Map<string, { critical: boolean; der: string }> {
  const tbs = (forge.asn1.fromDer(forge.pem.decode(pem)[0]!.body).value as forge.asn1.Asn1[])[0]!
    .value as forge.asn1.Asn1[];
  const list = (
    tbs.find(({ type, tagClass }) => type === (3 as forge.asn1.Type) && tagClass === forge.asn1.Class.CONTEXT_SPECIFIC)!
      .value as forge.asn1.Asn1[]
  )[0]!.value as forge.asn1.Asn1[];
  return new Map(
    list.map((item) => {
      const parts = item.value as forge.asn1.Asn1[];
      return [
        forge.asn1.derToOid(forge.util.createBuffer(parts[0]!.value as string)),
        { critical: parts.length === 3, der: parts.at(-1)!.value as string },
      ];
    }),
  );
}

describe("the authority's files", () => {
  it("are a 0600 key in a 0700 directory, and nothing half-written stays", () => {
    open();
    expect(readdirSync(directory).sort()).toEqual(["ca-key.pem", "root-cert.pem"]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "ca-key.pem")).mode & 0o777).toBe(0o600);
  });

  it("are used again after a restart", () => {
    expect(open().rootPem).toBe(open().rootPem);
  });

  it("a key left by a kill before the root was written is used", () => {
    open();
    rmSync(join(directory, "root-cert.pem"));
    expect(new X509Certificate(open().issueWorkloadCertificate(reviews).chainPem).ca).toBe(false);
  });

  it("a missing key beside a root is refused, and no new root is made", () => {
    const { rootPem } = open();
    rmSync(join(directory, "ca-key.pem"));
    expect(reopen()).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("ca-key.pem is missing beside"),
    });
    expect(readdirSync(directory)).toEqual(["root-cert.pem"]);
    expect(rootPem).toContain("BEGIN CERTIFICATE");
  });

  it.each([
    [
      "another's key",
      () =>
        generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
          type: "pkcs8",
          format: "pem",
        }) as string,
      "is not the key of",
    ],
    ["a torn key", () => "-----BEGIN PRIVATE KEY-----\nMIG", "is not a private key"],
  ])("%s is refused", (_name, key, reason) => {
    open();
    writeFileSync(join(directory, "ca-key.pem"), key());
    expect(reopen()).toMatchObject({ kind: "failed", message: expect.stringContaining(reason) });
  });

  it("an expired root, and one of another trust domain, are refused", () => {
    open();
    expect(openAuthority({ directory, trustDomain: "example.org", clock })).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("another trust domain"),
    });
    nowMs += 11 * 365 * 24 * HOUR_MS;
    expect(reopen()).toMatchObject({ kind: "failed", message: expect.stringContaining("expired") });
  });
});

describe("an X.509-SVID", () => {
  it("has exactly one URI SAN, critical because the subject is empty", () => {
    const { chainPem } = open().issueWorkloadCertificate(reviews);
    const certificate = new X509Certificate(chainPem);
    expect(certificate.subjectAltName).toBe("URI:spiffe://cluster.local/ns/default/sa/bookinfo-reviews");
    expect(certificate.subject).toBeUndefined();
    expect(extensionsOf(chainPem).get("2.5.29.17")?.critical).toBe(true);
  });

  it("is a leaf: CA=false, key usage digitalSignature only, EKU server and client", () => {
    const { chainPem } = open().issueWorkloadCertificate(reviews);
    const certificate = new X509Certificate(chainPem);
    const extensions = extensionsOf(chainPem);
    expect(certificate.ca).toBe(false);
    expect(extensions.get("2.5.29.15")).toEqual({ critical: true, der: "\x03\x02\x07\x80" });
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  });

  it("is signed by the root and belongs to its P-256 key; an impostor's root does not verify it", () => {
    const authority = open();
    const root = new X509Certificate(authority.rootPem);
    const { chainPem, keyPem } = authority.issueWorkloadCertificate(reviews);
    const certificate = new X509Certificate(chainPem);
    expect(certificate.verify(root.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    directory = `${directory}-impostor`;
    const impostor = new X509Certificate(open().rootPem);
    expect(certificate.checkIssued(impostor)).toBe(false);
    expect(certificate.verify(impostor.publicKey)).toBe(false);
    expect(root.ca && impostor.ca).toBe(true);
  });

  it("holds 24 h, backdated 2 min", () => {
    const certificate = new X509Certificate(open().issueWorkloadCertificate(reviews).chainPem);
    expect(validityOf(certificate).notAfterMs - startMs).toBe(24 * HOUR_MS);
    expect(startMs - validityOf(certificate).notBeforeMs).toBe(120_000);
  });

  it("holds at most 7 days, and never longer than the issuer", () => {
    const authority = open(30 * 24 * HOUR_MS);
    expect(authority.issueWorkloadCertificate(reviews).expiresAtMs - startMs).toBe(7 * 24 * HOUR_MS);
    nowMs = validityOf(new X509Certificate(authority.rootPem)).notAfterMs - HOUR_MS;
    expect(authority.issueWorkloadCertificate(reviews).expiresAtMs).toBe(nowMs + HOUR_MS);
  });

  it("has a serial of its own, positive and at most 127 bits", () => {
    const authority = open();
    const serials = Array.from(
      { length: 20 },
      () => new X509Certificate(authority.issueWorkloadCertificate(reviews).chainPem).serialNumber,
    );
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(BigInt(`0x${serial}`) < 2n ** 127n).toBe(true);
  });

  it.each([
    "spiffe://other.domain/ns/a/sa/b",
    "spiffe://cluster.local/ns/a/sa/../b",
    "spiffe://cluster.local/ns/%61/sa/b",
    "spiffe://cluster.local:80/ns/a/sa/b",
    "spiffe://cluster.local/ns//sa/b",
    "spiffe://cluster.local/ns/a/sa/b?x",
  ])("is not issued for %s", (id) => {
    expect(() => open().issueWorkloadCertificate(id as SpiffeId)).toThrow(RangeError);
  });
});

describe("the control plane's certificate", () => {
  it("has its DNS names and addresses", () => {
    const { chainPem } = open().issueServerCertificate({
      dnsNames: ["istiod.istio-system.svc", "scrim.local"],
      ipAddresses: ["127.0.0.1"],
    });
    const certificate = new X509Certificate(chainPem);
    expect(certificate.subjectAltName).toBe("DNS:istiod.istio-system.svc, DNS:scrim.local, IP Address:127.0.0.1");
    expect(certificate.checkHost("istiod.istio-system.svc")).toBe("istiod.istio-system.svc");
  });
});

describe("workload secrets", () => {
  const certificateIn = (secrets: ReturnType<ReturnType<typeof createWorkloadSecrets>["secretsFor"]>) =>
    secrets.get("default")?.tlsCertificate?.certificateChain?.inlineString;

  it("are default and ROOTCA, the same until due", () => {
    const authority = open();
    const secrets = createWorkloadSecrets({ authority, clock, random: () => 0.5 });
    const first = secrets.secretsFor(reviews);
    expect([...first.keys()]).toEqual(["default", "ROOTCA"]);
    expect(first.get("ROOTCA")?.validationContext?.trustedCa?.inlineString).toBe(authority.rootPem);
    nowMs += 12 * HOUR_MS - 1;
    expect(secrets.dropDue()).toBe(false);
    expect(secrets.secretsFor(reviews)).toBe(first);
  });

  it.each([
    [0, 0.4],
    [0.5, 0.5],
    [0.999, 0.5998],
  ])("are renewed at half life, a tenth earlier to later: random %d gives %d of the life", (random, share) => {
    const secrets = createWorkloadSecrets({ authority: open(), clock, random: () => random });
    const first = secrets.secretsFor(reviews);
    nowMs = startMs + share * 24 * HOUR_MS - 1_000;
    expect(secrets.dropDue()).toBe(false);
    nowMs += 2_000;
    expect(secrets.dropDue()).toBe(true);
    expect(certificateIn(secrets.secretsFor(reviews))).not.toBe(certificateIn(first));
  });

  it("tell who watches, long before expiry, and forget who no longer asks", async () => {
    const secrets = createWorkloadSecrets({ authority: open(2_000), clock, random: () => 0.5 });
    secrets.secretsFor(reviews);
    const stop = new AbortController();
    let dueAtMs = 0;
    await secrets.watch(() => {
      dueAtMs = nowMs;
      stop.abort();
    }, stop.signal);
    expect(dueAtMs - startMs).toBeGreaterThanOrEqual(1_000);
    expect(dueAtMs - startMs).toBeLessThan(1_200);
    expect(secrets.dropDue()).toBe(false);
  });
});
