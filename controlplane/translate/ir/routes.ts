// How a request finds its upstream: IR of route tables (Envoy's route configurations), virtual hosts and routes.
import type { StickyBy } from "../../model/sticky.ts";
import type { HashKey, UpstreamId } from "./upstream.ts";

export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string } // RE2, whole value
  | { readonly kind: "present" };

export type PathMatch = Exclude<StringMatch, { kind: "present" }>;

export interface NamedMatch {
  readonly name: string;
  readonly match: StringMatch;
}

/** Every given condition must hold. An empty condition matches every request. */
export interface RequestMatch {
  readonly path?: PathMatch;
  readonly ignoreCase: boolean;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly scheme?: StringMatch;
  readonly headers: readonly NamedMatch[];
  readonly withoutHeaders: readonly NamedMatch[];
  readonly queryParameters: readonly NamedMatch[];
  /** Claims of a verified token, named `[a][b]`. */
  readonly claims?: readonly NamedMatch[];
  readonly withoutClaims?: readonly NamedMatch[];
}

export interface HeaderChanges {
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export interface Target {
  readonly upstream: UpstreamId;
  readonly weight: number;
  /** The host the upstream is told, instead of the client's. */
  readonly authority?: string;
  readonly requestHeaders: HeaderChanges;
  readonly responseHeaders: HeaderChanges;
}

export interface Retries {
  readonly attempts: number;
  /** Envoy's and gRPC's retry conditions, without status codes. */
  readonly conditions: readonly string[];
  readonly statusCodes: readonly number[];
  readonly perTryTimeoutMs?: number;
  readonly otherHosts: boolean;
  /** Also hosts of localities that would not be asked otherwise. */
  readonly otherLocalities?: boolean;
  /** Shortest pause before the first retry; undefined: the proxy's default. */
  readonly backoffMs?: number;
}

export interface Fault {
  readonly delay?: { readonly ms: number; readonly percent: number };
  readonly abort?: { readonly httpStatus?: number; readonly grpcStatus?: number; readonly percent: number };
}

export interface Mirror {
  readonly upstream: UpstreamId;
  readonly percent: number;
}

export interface Rewrite {
  /** Replaces the matched prefix (prefix match) or the whole path. */
  readonly path?: string;
  readonly pathRegex?: { readonly match: string; readonly rewrite: string };
  readonly authority?: string;
}

/** What browsers of other origins may do. Preflight requests of those that may are answered in the client's place. */
export interface CrossOrigin {
  readonly origins: readonly PathMatch[];
  /** Each as its header says it; empty: the header is not sent. */
  readonly methods: string;
  readonly headers: string;
  readonly exposed: string;
  /** Seconds for which a browser may remember it. */
  readonly maxAge?: number;
  /** Undefined: the header is not sent. */
  readonly credentials?: boolean;
  /** Preflight requests of other origins go on to the destination. */
  readonly forwardUnmatched: boolean;
}

export type RouteAction =
  | {
      readonly kind: "forward";
      /** One target, or several of which one is drawn by weight. */
      readonly targets: readonly Target[];
      /** Undefined: no timeout. */
      readonly timeoutMs?: number;
      readonly retries?: Retries;
      readonly rewrite?: Rewrite;
      readonly mirrors: readonly Mirror[];
      /** What a consistent hash is made of; empty unless a target balances by it. */
      readonly hashes: readonly HashKey[];
    }
  | {
      readonly kind: "redirect";
      readonly path?: string;
      /** In place of the prefix that the match took. */
      readonly prefixRewrite?: string;
      readonly authority?: string;
      readonly port?: number;
      readonly scheme?: string;
      readonly code: 301 | 302 | 303 | 307 | 308;
    }
  | { readonly kind: "respond"; readonly status: number; readonly body?: string | Uint8Array };

export interface Route {
  /** Shown in access logs and by tools: the VirtualService route's name, or `default`. */
  readonly name: string;
  /** Key by which the router filter names this route; unique in its virtual host. */
  readonly key: string;
  readonly match: RequestMatch;
  readonly action: RouteAction;
  readonly fault?: Fault;
  readonly crossOrigin?: CrossOrigin;
  /** Under which Envoy counts the route's requests; empty: it does not. */
  readonly statPrefix?: string;
  /** A request's target follows from a key of the request, not from chance. Only with several targets. */
  readonly sticky?: { readonly by: StickyBy; readonly salt: string };
  readonly requestHeaders: HeaderChanges;
  readonly responseHeaders: HeaderChanges;
  /** `<namespace>/<name>` of the VirtualService it came from. */
  readonly origin?: string;
}

export interface VirtualHost {
  /** `<host fqdn>:<port>` */
  readonly name: string;
  readonly domains: readonly string[];
  /** In order: the first that matches wins. */
  readonly routes: readonly Route[];
  /** `filter`: the router filter decides among all routes, in order; `native`: Envoy's own matching does. */
  readonly decidedBy: "native" | "filter";
  /** Every request gets a redirect to HTTPS (Gateway httpsRedirect). */
  readonly requireTls: boolean;
  /**
   * CONNECT to this host is answered by: the same routing (`http`: TLS, which nobody can look into, goes to `opaque`;
   * `sniffed`: whatever does not begin as HTTP does), or a plain tunnel to an upstream.
   */
  readonly connect?:
    | { readonly kind: "http"; readonly opaque?: UpstreamId }
    | { readonly kind: "sniffed"; readonly opaque: UpstreamId }
    | { readonly kind: "tunnel"; readonly upstream: UpstreamId }
    | undefined;
}

export interface RouteTable {
  /** Envoy's route configuration name, `80`, `http.80` … */
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** The port in the request's host does not count when the virtual host is chosen. */
  readonly ignorePort: boolean;
  /** One service's: its host stands inside, and there are no unknown ones. */
  readonly isOneService?: true;
}
