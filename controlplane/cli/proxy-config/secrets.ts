import { X509Certificate } from "node:crypto";
import { asList, asObject, asText, at, type Json, sections } from "./dump.ts";

/** Returns the secrets of a config dump, each with its status; Envoy redacts private keys itself. */
export function readSecrets(dump: unknown): readonly Json[] {
  return sections(dump, "SecretsConfigDump").flatMap((section) => [
    ...["static_secrets", "dynamic_active_secrets"].flatMap((field) =>
      asList(section[field]).map((entry) => ({ ...entry, status: "ACTIVE" })),
    ),
    ...asList(section["dynamic_warming_secrets"]).map((entry) => ({ ...entry, status: "WARMING" })),
  ]);
}

export const SECRET_HEADER = [
  "RESOURCE NAME",
  "TYPE",
  "STATUS",
  "VALID CERT",
  "SERIAL NUMBER",
  "NOT AFTER",
  "NOT BEFORE",
];

/** Returns the table's cells for a secret; `nowMs` decides whether its certificate is valid. */
export function secretRow(entry: Json, nowMs: number): string[] {
  const secret = asObject(entry["secret"]);
  const isChain = secret["tls_certificate"] !== undefined;
  const source = at(
    secret,
    ...(isChain ? ["tls_certificate", "certificate_chain"] : ["validation_context", "trusted_ca"]),
  );
  const certificate = readCertificate(asObject(source));
  const head = [asText(entry["name"]), isChain ? "Cert Chain" : "CA", asText(entry["status"])];
  if (certificate === undefined) return [...head, "-", "-", "-", "-"];
  const [notBefore, notAfter] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  const valid = notBefore.getTime() <= nowMs && nowMs < notAfter.getTime();
  return [...head, String(valid), certificate.serialNumber.toLowerCase(), isoSeconds(notAfter), isoSeconds(notBefore)];
}

function readCertificate(source: Json): X509Certificate | undefined {
  const pem =
    source["inline_bytes"] !== undefined
      ? Buffer.from(asText(source["inline_bytes"]), "base64").toString("utf8")
      : asText(source["inline_string"]);
  try {
    return pem === "" ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
