// X.509 certificates with P-256 keys: the ASN.1 by node-forge, keys and signatures by node:crypto.
import { createHash, type KeyObject, randomBytes, sign, type X509Certificate } from "node:crypto";
import forge from "node-forge";

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

/** What a certificate is to say. Times in milliseconds since 1970; whole seconds are kept. */
export interface CertificateTemplate {
  readonly publicKey: KeyObject;
  /** The common name; undefined leaves the subject empty, and its alternative names critical (RFC 5280 §4.2.1.6). */
  readonly commonName: string | undefined;
  readonly isAuthority: boolean;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** IPv4 only. */
  readonly ipAddresses: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Who signs. */
export interface Signer {
  /** Its subject, as a Name in DER: what it signs has it as issuer, byte for byte. */
  readonly subject: Buffer;
  readonly keyIdentifier: Buffer;
  readonly privateKey: KeyObject;
}

const OIDS = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
};
// Bits of KeyUsage (RFC 5280 §4.2.1.3) with the count of unused ones in front.
const DIGITAL_SIGNATURE = "\x07\x80";
const KEY_CERT_SIGN_AND_CRL_SIGN = "\x01\x06";
// Tags of GeneralName.
const DNS_NAME = 2;
const URI_NAME = 6;
const IP_NAME = 7;

/** A signed certificate in PEM. */
export function signCertificate(template: CertificateTemplate, issuer: Signer): string {
  const tbs = buildTbs(template, issuer);
  const tbsBytes = Buffer.from(asn1.toDer(tbs).getBytes(), "latin1");
  const signature = sign("sha256", tbsBytes, { key: issuer.privateKey, dsaEncoding: "der" });
  const certificate = sequence(tbs, algorithm(issuer), bitString(`\x00${signature.toString("latin1")}`));
  return toPem(asn1.toDer(certificate).getBytes());
}

/** Returns who signs with a key under a name of its own: a root that is about to be made. */
export function newSigner(commonName: string, publicKey: KeyObject, privateKey: KeyObject): Signer {
  const subject = Buffer.from(asn1.toDer(name(commonName)).getBytes(), "latin1");
  return { subject, keyIdentifier: Buffer.from(keyHash(publicKey), "latin1"), privateKey };
}

/** Returns who signs with the key of this certificate. */
export function signerOf(certificate: X509Certificate, privateKey: KeyObject): Signer {
  const [tbs] = asn1.fromDer(certificate.raw.toString("latin1")).value as Asn1[];
  const fields = tbs!.value as Asn1[];
  // Version (where it is not 1), serial, algorithm, issuer, validity, subject, key (RFC 5280 §4.1).
  const first = fields[0]?.tagClass === asn1.Class.CONTEXT_SPECIFIC ? 1 : 0;
  const subject = Buffer.from(asn1.toDer(fields[first + 4]!).getBytes(), "latin1");
  const own = extensionOf(fields, OIDS.subjectKeyIdentifier);
  const keyIdentifier = own === undefined ? keyHash(certificate.publicKey) : (asn1.fromDer(own).value as string);
  return { subject, keyIdentifier: Buffer.from(keyIdentifier, "latin1"), privateKey };
}

/** The DER inside an extension of a TBSCertificate. */
function extensionOf(fields: readonly Asn1[], id: string): string | undefined {
  const isList = ({ tagClass, type }: Asn1) => tagClass === asn1.Class.CONTEXT_SPECIFIC && (type as number) === 3;
  const [list] = (fields.find(isList)?.value as Asn1[] | undefined) ?? [];
  for (const extension of (list?.value as Asn1[] | undefined) ?? []) {
    const parts = extension.value as Asn1[];
    if (asn1.derToOid(forge.util.createBuffer(parts[0]!.value as string)) === id) return parts.at(-1)!.value as string;
  }
  return undefined;
}

/** From when to when a certificate holds, in milliseconds since 1970. */
export function validityOf(certificate: X509Certificate): {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
} {
  return { notBeforeMs: Date.parse(certificate.validFrom), notAfterMs: Date.parse(certificate.validTo) };
}

function toPem(der: string): string {
  return forge.pem.encode({ type: "CERTIFICATE", body: der }).replaceAll("\r\n", "\n");
}

function buildTbs(template: CertificateTemplate, issuer: Signer): Asn1 {
  return sequence(
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [integer("\x02")]),
    integer(randomSerial()),
    algorithm(issuer),
    asn1.fromDer(issuer.subject.toString("latin1")),
    sequence(time(template.notBeforeMs), time(template.notAfterMs)),
    name(template.commonName),
    asn1.fromDer(spki(template.publicKey).toString("latin1")),
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 3, true, [sequence(...buildExtensions(template, issuer))]),
  );
}

function buildExtensions(template: CertificateTemplate, issuer: Signer): Asn1[] {
  const keyIdentifier = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, false, issuer.keyIdentifier.toString("latin1"));
  const extensions = [
    extension(OIDS.basicConstraints, true, sequence(...(template.isAuthority ? [boolean(true)] : []))),
    extension(OIDS.keyUsage, true, bitString(template.isAuthority ? KEY_CERT_SIGN_AND_CRL_SIGN : DIGITAL_SIGNATURE)),
    extension(OIDS.subjectKeyIdentifier, false, octets(keyHash(template.publicKey))),
    extension(OIDS.authorityKeyIdentifier, false, sequence(keyIdentifier)),
  ];
  if (!template.isAuthority)
    extensions.push(extension(OIDS.extendedKeyUsage, false, sequence(oid(OIDS.serverAuth), oid(OIDS.clientAuth))));
  const names = [
    ...template.uris.map((uri) => generalName(URI_NAME, uri)),
    ...template.dnsNames.map((dns) => generalName(DNS_NAME, dns)),
    ...template.ipAddresses.map((ip) => generalName(IP_NAME, String.fromCharCode(...ip.split(".").map(Number)))),
  ];
  if (names.length > 0)
    extensions.push(extension(OIDS.subjectAltName, template.commonName === undefined, sequence(...names)));
  return extensions;
}

/** 127 random bits: a positive INTEGER of at most 16 bytes, without leading zero bytes. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  let start = 0;
  while (start < 15 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start++;
  return bytes.toString("latin1", start);
}

const exported = new WeakMap<KeyObject, Buffer>();

/** The SubjectPublicKeyInfo; a key is exported once, which is what costs most of a certificate. */
function spki(key: KeyObject): Buffer {
  let bytes = exported.get(key);
  if (bytes === undefined) exported.set(key, (bytes = key.export({ type: "spki", format: "der" })));
  return bytes;
}

/** RFC 5280 §4.2.1.2, method 1 over the whole SubjectPublicKeyInfo: unique is all it has to be. */
function keyHash(key: KeyObject): string {
  return createHash("sha256").update(spki(key)).digest().subarray(0, 20).toString("latin1");
}

function time(ms: number): Asn1 {
  const date = new Date(ms);
  if (date.getUTCFullYear() < 2050) return universal(asn1.Type.UTCTIME, asn1.dateToUtcTime(date));
  return universal(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

function name(commonName: string | undefined): Asn1 {
  if (commonName === undefined) return sequence();
  const value = universal(asn1.Type.UTF8, forge.util.encodeUtf8(commonName));
  return sequence(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, [sequence(oid(OIDS.commonName), value)]));
}

function extension(id: string, isCritical: boolean, value: Asn1): Asn1 {
  const body = universal(asn1.Type.OCTETSTRING, asn1.toDer(value).getBytes());
  return isCritical ? sequence(oid(id), boolean(true), body) : sequence(oid(id), body);
}

function algorithm({ privateKey }: Signer): Asn1 {
  if (privateKey.asymmetricKeyType === "rsa") return sequence(oid(OIDS.sha256WithRsa), universal(asn1.Type.NULL, ""));
  return sequence(oid(OIDS.ecdsaWithSha256));
}

function generalName(tag: number, bytes: string): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, bytes);
}

function universal(type: forge.asn1.Type, bytes: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, bytes);
}

function sequence(...items: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, items);
}

function oid(id: string): Asn1 {
  return universal(asn1.Type.OID, asn1.oidToDer(id).getBytes());
}

function boolean(value: boolean): Asn1 {
  return universal(asn1.Type.BOOLEAN, value ? "\xff" : "\x00");
}

function integer(bytes: string): Asn1 {
  return universal(asn1.Type.INTEGER, bytes);
}

function bitString(bytes: string): Asn1 {
  return universal(asn1.Type.BITSTRING, bytes);
}

function octets(bytes: string): Asn1 {
  return universal(asn1.Type.OCTETSTRING, bytes);
}
