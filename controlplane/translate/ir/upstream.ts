// Where requests can be sent: IR of one upstream (Envoy's cluster), with no CRD and no Envoy word in it.
import type { SpiffeId } from "../../model/spiffe.ts";
import type { WorkloadRef } from "../../model/workload-ref.ts";

/** The parts an upstream's name is made of; see `names.ts` for the text. */
export interface UpstreamId {
  readonly direction: "outbound" | "inbound";
  readonly port: number;
  /** Empty when the upstream is the whole service. */
  readonly subset: string;
  /** Fully qualified host; empty for inbound. */
  readonly host: string;
}

/**
 * Returns the one text that stands for an upstream, also where a filter's configuration names it:
 * `outbound|80|v1|reviews.default.svc.cluster.local`, `inbound|9080||`.
 */
export function upstreamText(id: UpstreamId): string {
  return `${id.direction}|${id.port}|${id.subset}|${id.host}`;
}

/** A service as telemetry and policies name it. */
export interface ServiceRef {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** One address behind an upstream. */
export interface Endpoint {
  /** IP address, or a DNS name for `dns` upstreams. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** A sidecar answers here, so mesh mTLS is spoken. */
  readonly meshTls: boolean;
  readonly healthy: boolean;
  readonly locality?: string;
  readonly workload?: WorkloadRef;
}

/** How the addresses of an upstream become known. */
export type Discovery =
  | { readonly kind: "endpoints"; readonly endpoints: readonly Endpoint[] } // pushed apart from the upstream
  | { readonly kind: "dns"; readonly endpoints: readonly Endpoint[]; readonly roundRobin: boolean }
  | { readonly kind: "forward" } // resolved from the request's own host, when it is asked for
  | { readonly kind: "none" }; // never any address: answers 503

/**
 * The protocol spoken to the upstream. `downstream` keeps what the client spoke; so does `auto`, where nobody says what
 * the port speaks.
 */
export type UpstreamProtocol = "http1" | "http2" | "downstream" | "auto" | "tcp";

export type HashKey =
  | { readonly kind: "header"; readonly name: string }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path: string;
      readonly ttlMs?: number;
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: "sourceIp" }
  | { readonly kind: "queryParameter"; readonly name: string };

export type LoadBalancer =
  | { readonly kind: "roundRobin" }
  | { readonly kind: "leastRequest" }
  | { readonly kind: "random" }
  | {
      readonly kind: "consistentHash";
      readonly key: HashKey;
      readonly algorithm: "ringHash" | "maglev" /** Of the ring. */;
      readonly minimumSize?: number;
      /** Of maglev's table. */
      readonly tableSize?: number;
    };

/** Limits on what may be open at once; undefined leaves the proxy's own large default. */
export interface ConnectionLimits {
  readonly maxConnections?: number | undefined;
  readonly connectTimeoutMs: number;
  readonly tcpKeepalive?:
    | {
        readonly probes: number | undefined;
        readonly timeMs: number | undefined;
        readonly intervalMs: number | undefined;
      }
    | undefined;
  readonly maxConnectionDurationMs?: number | undefined;
  readonly maxPendingRequests?: number | undefined;
  readonly maxRequests?: number | undefined;
  readonly maxRequestsPerConnection?: number | undefined;
  readonly maxRetries?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly maxConcurrentStreams?: number | undefined;
  /** Pings on HTTP/2 connections; without an interval there are none. */
  readonly http2KeepAlive?: { readonly intervalMs?: number | undefined; readonly timeoutMs: number } | undefined;
}

/** Passive health checking. */
export interface OutlierEjection {
  readonly consecutive5xx?: number | undefined;
  readonly consecutiveGateway?: number | undefined;
  readonly consecutiveLocalOrigin?: number | undefined;
  readonly splitLocalOrigin: boolean;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  /** What this share does not allow is not ejected, not even the first host. */
  readonly maxEjectionPercent: number;
  readonly minHealthPercent: number;
}

/** What is spoken below the protocol. */
export type UpstreamTls =
  | { readonly mode: "none" }
  /** Mesh mTLS where the endpoint has a sidecar, plaintext elsewhere. */
  | { readonly mode: "auto"; readonly identities: readonly SpiffeId[]; readonly sni: string }
  /** Mesh mTLS to every endpoint (ISTIO_MUTUAL). */
  | { readonly mode: "mesh"; readonly identities: readonly string[]; readonly sni: string }
  | {
      readonly mode: "tls"; // SIMPLE, and MUTUAL when a client certificate is named
      readonly sni: string;
      readonly caFile?: string;
      readonly credentialName?: string;
      readonly clientCertificateFile?: string;
      readonly clientKeyFile?: string;
      readonly subjectAltNames: readonly string[];
      readonly insecureSkipVerify: boolean;
    };

export interface Upstream {
  readonly id: UpstreamId;
  readonly discovery: Discovery;
  readonly protocol: UpstreamProtocol;
  /** The service that is meant, for telemetry; undefined for the unknown. */
  readonly service?: ServiceRef;
  /** Runs inside the mesh: peers may learn who we are. */
  readonly internal: boolean;
  /** Its addresses may lie outside the machine: connections to them leave from whatever source address reaches them. */
  readonly anySource: boolean;
  readonly loadBalancer: LoadBalancer;
  readonly limits: ConnectionLimits;
  readonly outlier?: OutlierEjection;
  readonly tls: UpstreamTls;
  /** `<namespace>/<name>` of the DestinationRule that speaks for it. */
  readonly origin?: string;
}
