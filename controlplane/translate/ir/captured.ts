// How connections that the kernel brings to a sidecar find their upstream: IR of a captured way out.
import type { HttpFilters, PluginSlots, WasmFilter } from "./filters.ts";
import type { UnknownHosts } from "./proxy.ts";
import type { UpstreamId } from "./upstream.ts";

/** A sidecar's way out for programs that know nothing of it. */
export interface CapturedOutbound {
  readonly ports: readonly CapturedPort[];
  /** What programs are told that ask for a host's address. */
  readonly names: readonly NamedAddresses[];
  /** Those of ports that have their own; the last is for all others. */
  readonly filters: readonly OutboundFilters[];
  /** What counts connections that are not HTTP. */
  readonly tcpTelemetry: WasmFilter;
  /** What happens to connections to where nobody declared anything. */
  readonly unknownHosts: UnknownHosts;
  /** Where they go instead, if they may go anywhere. */
  readonly egressProxy?: UpstreamId | undefined;
}

/** What stands before connections to one port, or to all that nobody tells apart. */
export interface OutboundFilters {
  readonly port?: number | undefined;
  readonly http: HttpFilters;
  /** What sees the bytes of connections, those of HTTP too; undefined: nothing. */
  readonly networkPlugins?: PluginSlots | undefined;
}

/** A host's full name (resolvers make it of a shorter one by their search domains) and its IP addresses. */
export interface NamedAddresses {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** What becomes of connections to one port, at some addresses, or at all that have no entry of their own. */
export interface CapturedPort {
  /** IP addresses; none: any. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** By which requests go where a connection begins with HTTP; undefined: nobody looks for HTTP. */
  readonly routeTable?: string;
  /** Some of these requests go to what their own host resolves to. */
  readonly looksUp?: true;
  /** Programs connect to it themselves: the port is opened there. */
  readonly isOpened?: boolean;
  /** Of all other connections; no two with the same conditions. What none takes goes to unknown hosts. */
  readonly ways: readonly CapturedWay[];
}

/** Where connections go for which all conditions hold; the most specific way wins, addresses before names. */
export interface CapturedWay {
  /** CIDR blocks of the destination; empty: any. */
  readonly subnets: readonly string[];
  /** Names that TLS asks for, `*.example.com` too; empty: whatever is spoken. */
  readonly serverNames: readonly string[];
  /** One target, or several of which one is drawn by weight for each connection. */
  readonly targets: readonly WeightedUpstream[];
  /** The first target's. */
  readonly policy: ConnectionPolicy;
  /** What begins with HTTP goes by the port's route table all the same. */
  readonly isSniffed: boolean;
  /** TLS goes to what the name that it asks for resolves to. */
  readonly isLookedUp?: boolean;
  /** A target is known for HTTP: its peer has to be told that something else comes. */
  readonly isHttpTarget: boolean;
}

/** What a rule for a host says of connections to it that are not HTTP. */
export interface ConnectionPolicy {
  /** Undefined: as long as their ends like. */
  readonly idleTimeoutMs?: number | undefined;
  readonly maxDurationMs?: number | undefined;
  /** All of one client address go to one of the host's addresses. */
  readonly isByClient: boolean;
}

export interface WeightedUpstream {
  readonly upstream: UpstreamId;
  readonly weight: number;
}
