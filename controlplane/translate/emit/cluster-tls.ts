// What a cluster speaks below its protocol: mesh mTLS (everywhere, or where a sidecar answers), a server's own TLS, or
// nothing.
import type {
  CertificateValidationContext,
  Cluster,
  CommonTlsContext,
  DataSource,
  TransportSocket,
  UpstreamTlsContext,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { Upstream, UpstreamProtocol, UpstreamTls } from "../ir/upstream.ts";
import { meshAlpnOf } from "./cluster-protocol.ts";
import { secretSource } from "./config-source.ts";
import { buildUpstreamMeshTls } from "./tls.ts";

/** Where Debian, Alpine and the images made of them keep the operating system's certificate authorities. */
const SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
/** What DestinationRule's caCertificates may say for the same. */
const SYSTEM_WORD = "system";

/** Returns the transport socket fields of a cluster. */
export function buildClusterTls(upstream: Upstream, trustDomains: string): Cluster {
  const { proxyProtocol } = upstream;
  const below = socketsOf(upstream, trustDomains);
  if (proxyProtocol === undefined) return below;
  const { transportSocket = rawBuffer, transportSocketMatches } = below;
  return {
    transportSocket: behindClientAddress(transportSocket, proxyProtocol),
    ...(transportSocketMatches && {
      transportSocketMatches: transportSocketMatches.map((match) => ({
        ...match,
        ...(match.transportSocket && { transportSocket: behindClientAddress(match.transportSocket, proxyProtocol) }),
      })),
    }),
  };
}

const rawBuffer: TransportSocket = {
  name: "envoy.transport_sockets.raw_buffer",
  typedConfig: packAny("RawBuffer", {}),
};

/** The connection begins with whom it is made for, before anything else. */
function behindClientAddress(transportSocket: TransportSocket, version: "V1" | "V2"): TransportSocket {
  return {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    typedConfig: packAny("ProxyProtocolUpstreamTransport", { config: { version }, transportSocket }),
  };
}

function socketsOf(upstream: Upstream, trustDomains: string): Cluster {
  const { tls, protocol } = upstream;
  switch (tls.mode) {
    case "none":
      return {};
    case "mesh":
      return { transportSocket: buildUpstreamMeshTls(tls.identities, tls.sni, meshAlpnOf(protocol), trustDomains) };
    case "auto":
      // Endpoints that say nothing of the kind are spoken to as a cluster is that says nothing: in plaintext.
      return {
        transportSocketMatches: [
          {
            name: "tlsMode-istio",
            match: { tlsMode: "istio" },
            transportSocket: buildUpstreamMeshTls(tls.identities, tls.sni, meshAlpnOf(protocol), trustDomains),
          },
        ],
      };
    case "tls":
      return { transportSocket: serverTls(tls, protocol) };
  }
}

/** Without a name given HTTP takes it from each request (emit/cluster-protocol.ts); other bytes go without. */
function serverTls(tls: Extract<UpstreamTls, { mode: "tls" }>, protocol: UpstreamProtocol): TransportSocket {
  const alpn = protocol === "http2" ? ["h2"] : protocol === "http1" ? ["http/1.1"] : [];
  const { certificateSecret } = tls;
  const certificate =
    tls.clientCertificateFile !== undefined && tls.clientKeyFile !== undefined
      ? [{ certificateChain: file(tls.clientCertificateFile), privateKey: file(tls.clientKeyFile) }]
      : [];
  const context: UpstreamTlsContext = {
    ...(tls.sni !== "" && { sni: tls.sni }),
    commonTlsContext: {
      // By itself Envoy's client stops at TLS 1.2, which some servers do not speak any more.
      tlsParams: { tlsMaximumProtocolVersion: "TLSv1_3" },
      ...(alpn.length > 0 && { alpnProtocols: alpn }),
      ...(certificate.length > 0 && { tlsCertificates: certificate }),
      ...(certificateSecret && { tlsCertificateSdsSecretConfigs: [secretSource(certificateSecret)] }),
      ...(!tls.insecureSkipVerify && authorities(tls)),
    },
  };
  return { name: "envoy.transport_sockets.tls", typedConfig: packAny("UpstreamTlsContext", context) };
}

function authorities(tls: Extract<UpstreamTls, { mode: "tls" }>): CommonTlsContext {
  const names = tls.subjectAltNames.flatMap((exact) =>
    (["DNS", "URI"] as const).map((sanType) => ({ sanType, matcher: { exact } })),
  );
  const checked: CertificateValidationContext = names.length > 0 ? { matchTypedSubjectAltNames: names } : {};
  if (tls.authoritySecret !== undefined)
    return {
      combinedValidationContext: {
        defaultValidationContext: checked,
        validationContextSdsSecretConfig: secretSource(tls.authoritySecret),
      },
    };
  return {
    validationContext: {
      trustedCa: file(tls.caFile === undefined || tls.caFile === SYSTEM_WORD ? SYSTEM_AUTHORITIES : tls.caFile),
      ...(tls.revocationFile !== undefined && { crl: file(tls.revocationFile) }),
      ...checked,
    },
  };
}

function file(filename: string): DataSource {
  return { filename };
}
