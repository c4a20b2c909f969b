// Gateway: what a proxy at the mesh's edge listens for.
// Field facts: https://istio.io/latest/docs/reference/config/networking/gateway/
import { choice, fields, flag, labelMap, listOf, opt, port, type SpecFrom, text } from "../schema.ts";

const serverTls = fields(
  {
    httpsRedirect: opt(flag()),
    mode: opt(
      choice(["SIMPLE"], { notYet: ["PASSTHROUGH", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] }),
    ),
    credentialName: opt(text()),
  },
  {
    notYet: [
      "serverCertificate",
      "privateKey",
      "caCertificates",
      "credentialNames",
      "caCertCredentialName",
      "subjectAltNames",
      "verifyCertificateSpki",
      "verifyCertificateHash",
      "minProtocolVersion",
      "maxProtocolVersion",
      "cipherSuites",
      "tlsCertificates",
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
