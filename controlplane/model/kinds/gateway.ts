// Gateway: what a proxy at the mesh's edge listens for.
// Field facts: https://istio.io/latest/docs/reference/config/networking/gateway/
import {
  anyText,
  choice,
  fields,
  flag,
  integer,
  labelMap,
  listOf,
  noEffect,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

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

/** Mode SIMPLE, the only one there is yet, does not ask for them. */
const NO_CLIENT_CERTIFICATES = "certificates of clients are not asked for";

const TLS_VERSIONS = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"] as const;

/** How a server takes TLS connections. */
export const serverTls = fields({
  httpsRedirect: opt(flag()),
  mode: opt(choice(["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"])),
  credentialName: opt(text()),
  minProtocolVersion: opt(choice(TLS_VERSIONS)),
  maxProtocolVersion: opt(choice(TLS_VERSIONS)),
  cipherSuites: opt(listOf(text())),
  serverCertificate: opt(anyText()),
  privateKey: opt(anyText()),
  credentialNames: opt(listOf(text())),
  tlsCertificates: opt(
    listOf(fields({ serverCertificate: opt(text()), privateKey: opt(text()), caCertificates: opt(text()) })),
  ),
  caCertificates: noEffect(anyText(), NO_CLIENT_CERTIFICATES),
  caCertCredentialName: noEffect(anyText(), NO_CLIENT_CERTIFICATES),
  subjectAltNames: noEffect(listOf(text()), NO_CLIENT_CERTIFICATES),
  verifyCertificateSpki: noEffect(listOf(text()), NO_CLIENT_CERTIFICATES),
  verifyCertificateHash: noEffect(listOf(text()), NO_CLIENT_CERTIFICATES),
  caCrl: noEffect(anyText(), NO_CLIENT_CERTIFICATES),
  insecureSkipVerify: noEffect(flag(), NO_CLIENT_CERTIFICATES),
});

const HTTP_PROTOCOLS = ["HTTP", "HTTPS", "HTTP2", "GRPC"] as const;
const PROTOCOLS = [...HTTP_PROTOCOLS, "GRPC-WEB", "MONGO", "TCP", "TLS", "MYSQL", "REDIS", "UDP"] as const;

const server = fields({
  name: opt(text()),
  port: fields({
    number: port(),
    name: text(),
    protocol: choice(PROTOCOLS, { anyCase: true }),
    targetPort: noEffect(integer(), "the port is the one of the gateway's Service"),
  }),
  bind: noEffect(text(), "the proxy's own addresses are listened on"),
  hosts: listOf(text(), 1),
  tls: opt(serverTls),
  defaultEndpoint: noEffect(anyText()),
});

/** The schema of a Gateway's spec. */
export const gatewaySchema = fields({ selector: opt(labelMap()), servers: opt(listOf(server)) });

/** What of a server says whether it is opened; a server that was read in part will do. */
interface ServerKind {
  readonly port?: { readonly protocol?: string };
  readonly tls?: {
    readonly mode?: string;
    readonly cipherSuites?: readonly (string | undefined)[];
    readonly serverCertificate?: string;
    readonly privateKey?: string;
    readonly credentialNames?: readonly unknown[];
    readonly tlsCertificates?: readonly unknown[];
  };
}

/** Returns why a server is not opened, with the field that says so; undefined: it is. */
export function unservedReason({
  port: { protocol } = {},
  tls = {},
}: ServerKind): { readonly field: readonly string[]; readonly reason: string } | undefined {
  if (protocol !== undefined && !HTTP_PROTOCOLS.some((known) => known === protocol))
    return { field: ["port", "protocol"], reason: protocol };
  if (protocol !== "HTTPS") return undefined;
  const { mode = "PASSTHROUGH", cipherSuites = [] } = tls;
  if (mode !== "SIMPLE") return { field: tls.mode === undefined ? ["tls"] : ["tls", "mode"], reason: `mode ${mode}` };
  if (cipherSuites.length > 0 && cipherSuites.every((suite) => suite === undefined || !CIPHER_SUITES.has(suite)))
    return { field: ["tls", "cipherSuites"], reason: "a list without a suite that Envoy knows" };
  const other = (["serverCertificate", "privateKey", "credentialNames", "tlsCertificates"] as const).find(
    (name) => (tls[name]?.length ?? 0) > 0,
  );
  return other && { field: ["tls", other], reason: `a certificate by ${other} instead of credentialName` };
}

/** Returns the servers of a Gateway that are opened, each with its index in the spec. */
export function openedServers(spec: GatewaySpec): readonly (readonly [index: number, server: GatewayServerSpec])[] {
  return [...(spec.servers ?? []).entries()].filter(([, server]) => unservedReason(server) === undefined);
}

export type GatewaySpec = SpecFrom<typeof gatewaySchema>;
export type GatewayServerSpec = SpecFrom<typeof server>;
