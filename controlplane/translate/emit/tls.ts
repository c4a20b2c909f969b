// What is spoken below HTTP and TCP: mesh mutual TLS on both sides, and a gateway's own certificates.
import type {
  CommonTlsContext,
  CommonTlsContext_CombinedCertificateValidationContext,
  SubjectAltNameMatcher,
  TlsParameters,
  TlsParameters_TlsProtocol,
  TransportSocket,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { ClientCertificates, GatewayTls } from "../ir/gateway.ts";
import { secretSource } from "./config-source.ts";
import { interned } from "../../world/interned.ts";

/**
 * ALPN by which sidecars tell each other that the certificates of the connection are the mesh's, and that HTTP comes
 * over it; a PERMISSIVE port tells by it who is to show one.
 */
export const meshHttpAlpn: readonly string[] = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];

/** The same for what is not HTTP, and where the port says what it is. */
export const meshTcpAlpn: readonly string[] = ["istio", "istio-peer-exchange"];

/**
 * What a port of the mesh takes: forward secrecy and authenticated encryption only, as Istio's default; TLS 1.3 has no
 * others. The side that connects says nothing of it, as in Istio: what Envoy offers by itself (TLS 1.2, no other kinds
 * of ciphers) is for the port to choose from.
 */
const meshParameters: TlsParameters = {
  tlsMinimumProtocolVersion: "TLSv1_2",
  cipherSuites: [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
  ],
};

/**
 * Returns the transport socket towards a sidecar: our certificate, and theirs signed by the mesh's roots for one of
 * `identities` (`spiffe://…`; none given: any identity of `trustDomains`, which are separated by commas).
 */
export function buildUpstreamMeshTls(
  identities: readonly string[],
  sni: string,
  alpn: readonly string[],
  trustDomains = "cluster.local",
): TransportSocket {
  const names = identities.length === 0 ? anyOf(trustDomains) : identities.flatMap(sansOf);
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: packAny("UpstreamTlsContext", {
      ...(sni !== "" && { sni }),
      commonTlsContext: meshContext(names, alpn),
    }),
  };
}

/**
 * Returns the transport socket of a port that takes mesh mutual TLS: a client certificate of one of the trust domains
 * (comma-separated) is required. `alpn` is what the HTTP behind it may be negotiated to. It names no `istio-…`: Envoy
 * would take any name but `h2` for HTTP/1.1, while without one it looks at the first bytes.
 */
export function buildDownstreamMeshTls(trustDomains: string, alpn: readonly string[]): TransportSocket {
  return downstream({ alpn }, trustDomains);
}

const downstream = interned(
  ({ alpn }: { readonly alpn: readonly string[] }) => alpn,
  ({ alpn }, trustDomains): TransportSocket => ({
    name: "envoy.transport_sockets.tls",
    typedConfig: packAny("DownstreamTlsContext", {
      commonTlsContext: { ...meshContext(anyOf(trustDomains), alpn), tlsParams: meshParameters },
      requireClientCertificate: true,
    }),
  }),
);

/**
 * Returns the transport socket with which a gateway ends TLS: mesh mutual TLS, or certificates of its own and what it
 * asks of clients for theirs. HTTP/2 and HTTP/1.1 are offered, as Istio offers them for other bytes, too.
 */
export function buildGatewayTls(tls: GatewayTls, trustDomains: string): TransportSocket {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: packAny("DownstreamTlsContext", {
      commonTlsContext: tls.kind === "mesh" ? meshGatewayContext(tls.identities, trustDomains) : ownContext(tls),
      requireClientCertificate: tls.kind === "mesh" || tls.clients?.required === true,
    }),
  };
}

const gatewayAlpn: readonly string[] = ["h2", "http/1.1"];

function meshGatewayContext(identities: readonly string[], trustDomains: string): CommonTlsContext {
  const names = identities.length > 0 ? identities.flatMap(sansOf) : anyOf(trustDomains);
  return { ...meshContext(names, gatewayAlpn), tlsParams: meshParameters };
}

function ownContext(tls: Extract<GatewayTls, { kind: "own" }>): CommonTlsContext {
  const maximum = protocolVersion(tls.maxVersion);
  return {
    alpnProtocols: gatewayAlpn,
    tlsParams: {
      tlsMinimumProtocolVersion: protocolVersion(tls.minVersion) ?? "TLSv1_2",
      ...(maximum && { tlsMaximumProtocolVersion: maximum }),
      ...(tls.cipherSuites.length > 0 && { cipherSuites: tls.cipherSuites }),
      ...(tls.curves.length > 0 && { ecdhCurves: tls.curves }),
    },
    tlsCertificateSdsSecretConfigs: tls.certificates.map(secretSource),
    ...(tls.clients && { combinedValidationContext: validationOf(tls.clients) }),
  };
}

function validationOf(clients: ClientCertificates): CommonTlsContext_CombinedCertificateValidationContext {
  const names = clients.subjectAltNames.flatMap(anySan);
  return {
    defaultValidationContext: {
      ...(names.length > 0 && { matchTypedSubjectAltNames: names }),
      ...(clients.keyHashes.length > 0 && { verifyCertificateSpki: clients.keyHashes }),
      ...(clients.certificateHashes.length > 0 && { verifyCertificateHash: clients.certificateHashes }),
    },
    validationContextSdsSecretConfig: secretSource(clients.authorities),
  };
}

/** A name is not said to be of one kind. */
const ANY_NAME = ["DNS", "URI", "EMAIL", "IP_ADDRESS"] as const;

function meshContext(names: readonly SubjectAltNameMatcher[], alpn: readonly string[]): CommonTlsContext {
  return {
    ...(alpn.length > 0 && { alpnProtocols: alpn }),
    tlsCertificateSdsSecretConfigs: [secretSource("default")],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: names },
      validationContextSdsSecretConfig: secretSource("ROOTCA"),
    },
  };
}

function anyOf(trustDomains: string): readonly SubjectAltNameMatcher[] {
  return trustDomains.split(",").map((trustDomain) => uriSan({ prefix: `spiffe://${trustDomain}/` }));
}

/** Identities of the mesh are URIs; of other names nobody says what they are. */
function sansOf(name: string): readonly SubjectAltNameMatcher[] {
  return name.startsWith("spiffe://") ? [uriSan({ exact: name })] : anySan(name);
}

function anySan(exact: string): readonly SubjectAltNameMatcher[] {
  return ANY_NAME.map((sanType) => ({ sanType, matcher: { exact } }));
}

function uriSan(matcher: SubjectAltNameMatcher["matcher"]): SubjectAltNameMatcher {
  return { sanType: "URI", matcher };
}

/** Istio writes TLSV1_2 what Envoy writes TLSv1_2. */
function protocolVersion(version: string | undefined): TlsParameters_TlsProtocol | undefined {
  switch (version?.toUpperCase()) {
    case "TLSV1_0":
      return "TLSv1_0";
    case "TLSV1_1":
      return "TLSv1_1";
    case "TLSV1_2":
      return "TLSv1_2";
    case "TLSV1_3":
      return "TLSv1_3";
    default:
      return undefined;
  }
}
