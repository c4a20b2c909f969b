// Gateway: what a proxy at the mesh's edge listens for.
// Field facts: https://istio.io/latest/docs/reference/config/networking/gateway/
import { choice, fields, flag, labelMap, listOf, opt, port, type SpecFrom, text } from "../schema.ts";

/** The suites up to TLS 1.2 that Envoy's BoringSSL knows; those of TLS 1.3 cannot be chosen. */
export const CIPHER_SUITES: ReadonlySet<string> = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
]);

const TLS_VERSIONS = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"] as const;

const serverTls = fields(
  {
    httpsRedirect: opt(flag()),
    mode: opt(
      choice(["SIMPLE"], { notYet: ["PASSTHROUGH", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] }),
    ),
    credentialName: opt(text()),
    minProtocolVersion: opt(choice(TLS_VERSIONS)),
    maxProtocolVersion: opt(choice(TLS_VERSIONS)),
    cipherSuites: opt(listOf(text())),
  },
  {
    notYet: ["serverCertificate", "privateKey", "credentialNames", "tlsCertificates"],
    // About certificates of clients, which mode SIMPLE does not ask for.
    noEffect: [
      "caCertificates",
      "caCertCredentialName",
      "subjectAltNames",
      "verifyCertificateSpki",
      "verifyCertificateHash",
      "caCrl",
    ],
  },
);

const server = fields(
  {
    name: opt(text()),
    port: fields(
      {
        number: port(),
        name: text(),
        protocol: choice(["HTTP", "HTTPS", "HTTP2", "GRPC"], {
          anyCase: true,
          notYet: ["GRPC-WEB", "MONGO", "TCP", "TLS"],
        }),
      },
      { noEffect: ["targetPort"] },
    ),
    bind: opt(text()),
    hosts: listOf(text(), 1),
    tls: opt(serverTls),
  },
  { noEffect: ["defaultEndpoint"] },
);

/** The schema of a Gateway's spec. */
export const gatewaySchema = fields({ selector: opt(labelMap()), servers: opt(listOf(server)) });

export type GatewaySpec = SpecFrom<typeof gatewaySchema>;
export type GatewayServerSpec = SpecFrom<typeof server>;
