// What a cluster speaks: the HTTP version, and limits that belong to HTTP.
import type {
  CoreHttpProtocolOptions,
  Http2ProtocolOptions,
  HttpProtocolOptions,
  MatchPredicate,
} from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { Upstream, UpstreamProtocol } from "../ir/upstream.ts";

/**
 * What a sidecar offers its peer. Names with `istio` say that the certificates are the mesh's, and whether
 * HTTP comes over the connection; `h2` and `http/1.1` are for the peer to choose. A client that keeps its own client's
 * version offers none of these two: the peer looks at the first bytes.
 */
const ALPN: Readonly<Record<UpstreamProtocol, readonly string[]>> = {
  http1: ["istio-http/1.1", "istio", "http/1.1"],
  http2: ["istio-h2", "istio", "h2"],
  downstream: ["istio-http/1.1", "istio"],
  auto: ["istio-http/1.1", "istio"],
  tcp: ["istio"],
};

/** Returns the ALPN towards sidecars. */
export function meshAlpnOf(protocol: UpstreamProtocol): readonly string[] {
  return ALPN[protocol];
}

/**
 * Returns the HTTP options of a cluster; undefined where its bytes are opaque, and where they are what Envoy speaks
 * unasked: HTTP/1.1.
 */
export function buildHttpProtocolOptions(upstream: Upstream): HttpProtocolOptions | undefined {
  // A rule may lead HTTP to a port that is declared for TLS: such requests bring a name.
  if (upstream.protocol === "tcp") return tlsByRequest(upstream);
  const common = buildCommonOptions(upstream);
  const errors = upstream.outlier?.errorCodes;
  const more: HttpProtocolOptions = {
    ...(errors && { outlierDetection: { errorMatcher: anyStatusOf(errors) } }),
    ...(Object.keys(common).length > 0 && { commonHttpProtocolOptions: common }),
    ...namesFromRequest(upstream),
  };
  return upstream.protocol === "http1" && Object.keys(more).length === 0
    ? undefined
    : { ...buildVersionOptions(upstream), ...more };
}

function anyStatusOf(codes: readonly number[]): MatchPredicate {
  const [first, ...others] = codes.map(
    (code): MatchPredicate => ({
      httpResponseHeadersMatch: { headers: [{ name: ":status", stringMatch: { exact: String(code) } }] },
    }),
  );
  return first !== undefined && others.length === 0 ? first : { orMatch: { rules: first ? [first, ...others] : [] } };
}

function tlsByRequest(upstream: Upstream): HttpProtocolOptions | undefined {
  const names = namesFromRequest(upstream);
  return names.upstreamHttpProtocolOptions && { explicitHttpConfig: { httpProtocolOptions: {} }, ...names };
}

/** Returns which versions of HTTP are spoken, and how. */
export function buildVersionOptions({ protocol, limits }: Pick<Upstream, "protocol" | "limits">): HttpProtocolOptions {
  const { maxConcurrentStreams, http2KeepAlive } = limits;
  const http2ProtocolOptions: Http2ProtocolOptions = {
    ...(maxConcurrentStreams !== undefined && { maxConcurrentStreams }),
    ...(http2KeepAlive && {
      connectionKeepalive: {
        ...(http2KeepAlive.intervalMs !== undefined && { interval: durationFromMs(http2KeepAlive.intervalMs) }),
        timeout: durationFromMs(http2KeepAlive.timeoutMs),
      },
    }),
  };
  if (protocol === "downstream" || protocol === "auto")
    return { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions } };
  return { explicitHttpConfig: protocol === "http2" ? { http2ProtocolOptions } : { httpProtocolOptions: {} } };
}

/** Returns how long and for how much connections of HTTP last. */
export function buildCommonOptions({ limits }: Pick<Upstream, "limits">): CoreHttpProtocolOptions {
  return {
    ...(limits.idleTimeoutMs !== undefined && { idleTimeout: durationFromMs(limits.idleTimeoutMs) }),
    ...(limits.maxConnectionDurationMs !== undefined && {
      maxConnectionDuration: durationFromMs(limits.maxConnectionDurationMs),
    }),
    ...(limits.maxRequestsPerConnection !== undefined && { maxRequestsPerConnection: limits.maxRequestsPerConnection }),
  };
}

/**
 * TLS to the world outside without a name given: the request's host is the name, and the certificate must be for it.
 */
function namesFromRequest({ tls }: Upstream): HttpProtocolOptions {
  if (tls.mode !== "tls" || tls.sni !== "") return {};
  return {
    upstreamHttpProtocolOptions: {
      autoSni: true,
      ...(tls.subjectAltNames.length === 0 && !tls.insecureSkipVerify && { autoSanValidation: true }),
    },
  };
}
