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

/** What Envoy's BoringSSL agrees on keys by. */
export const ECDH_CURVES: ReadonlySet<string> = new Set(["X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"]);

const TLS_VERSIONS = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"] as const;

/** How a server takes TLS connections. */
export const serverTls = fields({
  httpsRedirect: opt(flag()),
  mode: opt(choice(["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"])),
  credentialName: opt(text()),
  minProtocolVersion: opt(choice(TLS_VERSIONS)),
  maxProtocolVersion: opt(choice(TLS_VERSIONS)),
  cipherSuites: opt(listOf(text())),
  ecdhCurves: opt(listOf(text())),
  /** Paths, as the gateway's own Envoy finds them. */
  serverCertificate: opt(anyText()),
  privateKey: opt(anyText()),
  credentialNames: opt(listOf(text())),
  tlsCertificates: opt(
    listOf(
      fields({
        serverCertificate: opt(text()),
        privateKey: opt(text()),
        caCertificates: noEffect(text(), "all certificates share the caCertificates beside the list"),
      }),
    ),
  ),
  caCertificates: opt(anyText()),
  caCertCredentialName: opt(anyText()),
  subjectAltNames: opt(listOf(text())),
  verifyCertificateSpki: opt(listOf(text())),
  verifyCertificateHash: opt(listOf(text())),
  caCrl: opt(anyText()),
  insecureSkipVerify: noEffect(flag(), "whoever shows a certificate is checked by it"),
});

const PROTOCOLS = [
  "HTTP",
  "HTTPS",
  "HTTP2",
  "GRPC",
  "GRPC-WEB",
  "TCP",
  "TLS",
  "MONGO",
  "MYSQL",
  "REDIS",
  "UDP",
] as const;

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
  readonly tls?: { readonly mode?: string; readonly cipherSuites?: readonly (string | undefined)[] };
}

/** Returns why a server is not opened, with the field that says so; undefined: it is. */
export function unservedReason({
  port: { protocol } = {},
  tls: { cipherSuites = [] } = {},
}: ServerKind): { readonly field: readonly string[]; readonly reason: string } | undefined {
  if (protocol === "UDP") return { field: ["port", "protocol"], reason: protocol };
  if (cipherSuites.length > 0 && cipherSuites.every((suite) => suite === undefined || !CIPHER_SUITES.has(suite)))
    return { field: ["tls", "cipherSuites"], reason: "a list without a suite that Envoy knows" };
  return undefined;
}

/** Returns whether a server's clients begin with TLS; on others `tls` can only say that they are sent elsewhere. */
export function isTlsServer({ port: { protocol } = {}, tls }: ServerKind): boolean {
  return (protocol === "HTTPS" || protocol === "TLS") && tls !== undefined;
}

/** Returns whether a server takes requests: HTTP in plaintext, or HTTPS that ends at the gateway. */
export function isHttpServer({ port: { protocol = "" } = {}, tls }: ServerKind): boolean {
  return protocol === "HTTPS" ? !isPassedOn(tls?.mode) : ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"].includes(protocol);
}

/** Returns what connections to a server's port speak before anything is known of them: a port has one of these. */
export function portProtocol(server: ServerKind): "HTTP" | "TCP" | "TLS" {
  if (isTlsServer(server)) return "TLS";
  return isHttpServer(server) ? "HTTP" : "TCP";
}

/** Returns whether TLS of this mode goes through the gateway as it is. */
export function isPassedOn(mode = "PASSTHROUGH"): boolean {
  return mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH";
}

/** Returns the servers of a Gateway that are opened, each with its index in the spec. */
export function openedServers(spec: GatewaySpec): readonly (readonly [index: number, server: GatewayServerSpec])[] {
  return [...(spec.servers ?? []).entries()].filter(([, server]) => unservedReason(server) === undefined);
}

export type GatewaySpec = SpecFrom<typeof gatewaySchema>;
export type GatewayServerSpec = SpecFrom<typeof server>;
export type ServerTlsSpec = SpecFrom<typeof serverTls>;
