import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

/** A certificate and its key, PEM. */
export interface TestKeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Certificates for tests: one authority, and one key that all of them share, because making keys is slow. */
export class TestIdentities {
  readonly #key: string;
  readonly #forgeKey: forge.pki.rsa.PrivateKey;
  readonly #publicKey: forge.pki.rsa.PublicKey;
  readonly #root: forge.pki.Certificate;
  readonly #made = new Map<string, TestKeyPair>();
  #serial = 1;

  constructor() {
    const pair = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    this.#key = pair.privateKey;
    this.#forgeKey = forge.pki.privateKeyFromPem(pair.privateKey);
    this.#publicKey = forge.pki.publicKeyFromPem(pair.publicKey) as forge.pki.rsa.PublicKey;
    this.#root = this.#sign("test-root", undefined);
  }

  /** The authority's certificate. */
  get rootPem(): string {
    return forge.pki.certificateToPem(this.#root);
  }

  /** A certificate for `spiffe://cluster.local/ns/default/sa/<name>`. */
  of(name: string): TestKeyPair {
    return this.ofUri(`spiffe://cluster.local/ns/default/sa/${name}`);
  }

  /** A certificate with this URI as its one subject alternative name. */
  ofUri(uri: string): TestKeyPair {
    const known = this.#made.get(uri);
    if (known) return known;
    const made = { certificate: forge.pki.certificateToPem(this.#sign(uri, uri)), key: this.#key };
    this.#made.set(uri, made);
    return made;
  }

  #sign(commonName: string, uri: string | undefined): forge.pki.Certificate {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = this.#publicKey;
    certificate.serialNumber = `01${(this.#serial++).toString(16).padStart(12, "0")}`;
    certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
    certificate.validity.notAfter = new Date(Date.now() + 86_400_000);
    const name = [{ name: "commonName", value: commonName.slice(0, 64) }];
    certificate.setSubject(name);
    certificate.setIssuer(uri === undefined ? name : this.#root.subject.attributes);
    certificate.setExtensions(
      uri === undefined
        ? [{ name: "basicConstraints", cA: true }]
        : [{ name: "subjectAltName", altNames: [{ type: 6, value: uri }] }],
    );
    certificate.sign(this.#forgeKey, forge.md.sha256.create());
    return certificate;
  }
}
