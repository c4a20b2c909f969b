// Certificates for tests that need some of their own names.
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import forge from "node-forge";

export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A self-signed certificate for the names, valid for a day around now. */
export function selfSigned(names: readonly string[]): TestCertificate {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  const day = 86_400_000;
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`;
  certificate.validity.notBefore = new Date(Date.now() - day);
  certificate.validity.notAfter = new Date(Date.now() + day);
  const subject = [{ name: "commonName", value: names[0] ?? "" }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: names.map((value) => ({ type: 2, value })) },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key: forge.pki.privateKeyToPem(keys.privateKey) };
}

/** The same as files that everybody may read, in a directory of their own. */
export function certificateFiles(names: readonly string[]): TestCertificate & { readonly directory: string } {
  const { certificate, key } = selfSigned(names);
  const directory = mkdtempSync(join(tmpdir(), "scrim-certificate-"));
  const files = { certificate: join(directory, "tls.crt"), key: join(directory, "tls.key") };
  writeFileSync(files.certificate, certificate);
  writeFileSync(files.key, key);
  chmodSync(directory, 0o755);
  return { ...files, directory };
}

/** The Secret by which a Gateway finds it. */
export function tlsSecret(name: string, namespace: string, { certificate, key }: TestCertificate): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return `apiVersion: v1
kind: Secret
metadata: {name: ${name}, namespace: ${namespace}}
type: kubernetes.io/tls
data: {tls.crt: ${base64(certificate)}, tls.key: ${base64(key)}}
`;
}
