// Where requests can be sent: IR of one upstream (Envoy's cluster), with no CRD and no Envoy word in it.
import type { WorkloadRef } from "../../model/workload-ref.ts";

/** The parts an upstream's name is made of; see `names.ts` for the text. */
export interface UpstreamId {
  /** `passedOn`: what sidecars say to each other, led on by a gateway that cannot read it. */
  readonly direction: "outbound" | "inbound" | "passedOn";
  readonly port: number;
  /** Empty when the upstream is the whole service. */
  readonly subset: string;
  /** Fully qualified host; empty for inbound. */
  readonly host: string;
}

/**
 * Returns the one text that stands for an upstream, also where a filter's configuration names it:
 * `outbound|80|v1|reviews.default.svc.cluster.local`, `inbound|9080||`; what is passed on goes by the name that sidecars
 * ask for by TLS: `outbound_.80_.v1_.reviews.default.svc.cluster.local`.
 */
export function upstreamText(id: UpstreamId): string {
  if (id.direction === "passedOn") return `outbound_.${id.port}_.${id.subset}_.${id.host}`;
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
  /** IP address; a DNS name for `dns` upstreams; the path of a Unix domain socket (`/…`, or `@…` for an abstract one). */
  readonly address: string;
  /** 0 of a socket. */
  readonly port: number;
  readonly weight: number;
  /** A sidecar answers here, so mesh mTLS is spoken. */
  readonly meshTls: boolean;
  readonly healthy: boolean;
  /** `region/zone/subzone`, or less of it from the left. */
  readonly locality?: string;
  /** It is asked while none of a smaller number is well. Absent: 0, the first. */
  readonly priority?: number;
  readonly workload?: WorkloadRef;
}

/** Addresses, and how much of the requests each locality gets where it is not for their weights to say. */
export interface Endpoints {
  readonly endpoints: readonly Endpoint[];
  readonly localityWeights?: Readonly<Record<string, number>>;
}

/** How the addresses of an upstream become known. */
export type Discovery =
  | ({ readonly kind: "endpoints" } & Endpoints) // pushed apart from the upstream
  | ({ readonly kind: "dns"; readonly roundRobin: boolean } & Endpoints)
  /** Resolved from the request's own host, when it is asked for; `always`: also where a connection says where it goes. */
  | { readonly kind: "forward"; readonly always?: true }
  | { readonly kind: "original" } // where the client's connection was going
  | { readonly kind: "none" }; // never any address: answers 503

/**
 * The protocol spoken to the upstream. `downstream` keeps what the client spoke; so does `auto`, where nobody says what
 * the port speaks.
 */
export type UpstreamProtocol = "http1" | "http2" | "downstream" | "auto" | "tcp";

/** How a new address comes to its full share, little by little. */
export interface WarmUp {
  readonly durationMs: number;
  /** 1 is a straight line; a larger number gives more at first. */
  readonly aggression?: number;
  /** What it gets of its share at once. */
  readonly minimumPercent?: number;
}

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
  | { readonly kind: "roundRobin" | "leastRequest"; readonly warmUp?: WarmUp }
  | { readonly kind: "random" }
  /** The address that the client asked for itself; where it asked for a name alone, least request. */
  | { readonly kind: "passthrough" }
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
  /** In place of `maxRetries`. */
  readonly retryBudget?: RetryBudget | undefined;
  /** Of connections of HTTP. */
  readonly idleTimeoutMs?: number | undefined;
  /** Of others. */
  readonly tcpIdleTimeoutMs?: number | undefined;
  readonly maxConcurrentStreams?: number | undefined;
  /** Pings on HTTP/2 connections; without an interval there are none. */
  readonly http2KeepAlive?: { readonly intervalMs?: number | undefined; readonly timeoutMs: number } | undefined;
}

/** How many retries may be under way, as a share of the requests. */
export interface RetryBudget {
  readonly percent: number;
  /** So many may be, however few the requests. */
  readonly minimum: number;
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
  /** Answers that count as errors, in place of all that begin with 5. */
  readonly errorCodes?: readonly number[] | undefined;
}

/** What is spoken below the protocol. */
export type UpstreamTls =
  | { readonly mode: "none" }
  /** Mesh mTLS where the endpoint has a sidecar, plaintext elsewhere. */
  | { readonly mode: "auto"; readonly identities: readonly string[]; readonly sni: string }
  /** Mesh mTLS to every endpoint (ISTIO_MUTUAL). */
  | { readonly mode: "mesh"; readonly identities: readonly string[]; readonly sni: string }
  | {
      readonly mode: "tls"; // SIMPLE, and MUTUAL when a client certificate is named
      readonly sni: string;
      readonly caFile?: string;
      /** Of certificates that the authority took back. */
      readonly revocationFile?: string;
      /** Secrets by name, in place of files. */
      readonly authoritySecret?: string;
      readonly certificateSecret?: string;
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
  /**
   * What localities are to load balancing: each gets the share that its weight says, or Envoy keeps requests in the
   * client's own zone. Undefined: nothing.
   */
  readonly spread?:
    | { readonly kind: "weights" }
    | { readonly kind: "zones"; readonly enabled: boolean; readonly minClusterSize?: number }
    | undefined;
  readonly limits: ConnectionLimits;
  readonly outlier?: OutlierEjection;
  readonly tls: UpstreamTls;
  /** Each connection begins with the client's address, in this version of the PROXY protocol. */
  readonly proxyProtocol?: "V1" | "V2" | undefined;
  /** `<namespace>/<name>` of the DestinationRule that speaks for it. */
  readonly origin?: string;
}
