// All that a proxy needs, ready to be written in Envoy's words: what its class needs, and beside it what is its own.
import type { CaptureMode } from "../../pods/annotations.ts";
import type { Authorization } from "./authorization.ts";
import type { CapturedOutbound } from "./captured.ts";
import type { HttpFilters, PluginSlots, WasmFilter } from "./filters.ts";
import type { GatewayPort, GatewayTls } from "./gateway.ts";
import type { MeshProxy } from "./proxy-class.ts";
import type { RouteTable } from "./routes.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { ConnectionLimits, ServiceRef, Upstream, UpstreamId } from "./upstream.ts";

/**
 * What happens to hosts that nobody declared: their requests go where they were going, or to where DNS says that the
 * host is, or nowhere.
 */
export type UnknownHosts = "forward" | "forwardByDns" | "refuse";

/** A sidecar's way out: one explicit proxy address that takes absolute-form, h2c and CONNECT. */
export interface OutboundProxy {
  readonly routeTable: string;
  readonly filters: HttpFilters;
  /** What happens to hosts that nobody declared. */
  readonly unknownHosts: UnknownHosts;
  /** Where their requests go instead, if they may go anywhere. */
  readonly egressProxy?: UpstreamId | undefined;
}

/** What comes in at a port, and what is done with it. */
export interface InboundTraffic {
  /** What the application speaks there; `auto`: nobody says, the first bytes of each connection do. */
  readonly protocol: "http1" | "http2" | "auto" | "tcp";
  readonly mtls: "STRICT" | "PERMISSIVE" | "DISABLE";
  readonly filters: HttpFilters;
  /** What sees the bytes of connections, those of HTTP too; undefined: nothing. */
  readonly networkPlugins?: PluginSlots | undefined;
  /** What counts connections that are not HTTP; HTTP's telemetry is among `filters`. */
  readonly tcpTelemetry?: WasmFilter;
  /**
   * Authorization of connections that are not HTTP: what is left of the policies without what only HTTP has; undefined
   * when no policy selects the workload.
   */
  readonly tcpAuthorization?: readonly Authorization[];
}

/** One port of the workload behind a sidecar. */
export interface InboundPort extends InboundTraffic {
  /** The containerPort clients know. */
  readonly port: number;
  readonly service?: ServiceRef;
  /** Where the application is, where that is not the port itself. */
  readonly target?: InboundTarget;
  /** What TLS of clients is ended with that is not the mesh's; undefined: it is left to the application. */
  readonly tls?: GatewayTls;
  /** Captured pods: where clients connect to the proxy itself, as to no other port; "": at the pod's own address. */
  readonly openedAt?: string;
  /** How much the application takes at once; undefined: whatever comes. */
  readonly limits?: ConnectionLimits;
  /** Whether HTTP goes on in the client's version, whatever the port says. */
  readonly followsClient?: true;
}

/** Another place than the one that was connected to; `samePod`: the same address, another port. */
export type InboundTarget =
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | { readonly kind: "samePod"; readonly port: number }
  | { readonly kind: "socket"; readonly path: string };

/** Ports to which no Service leads: one that has a mode of its own, or (without `port`) all others. */
export interface UndeclaredPorts extends InboundTraffic {
  readonly port?: number;
}

/** What a captured sidecar takes beside the ports that Services lead to. */
export interface CapturedInbound {
  /** TPROXY: the application sees who calls, not the proxy. */
  readonly mode: CaptureMode;
  readonly undeclared: readonly UndeclaredPorts[];
}

export interface AccessLog {
  /** A path, or undefined for none. */
  readonly path: string;
  readonly encoding: "TEXT" | "JSON";
  /** The user's own format; undefined means the default one. */
  readonly format?: string;
  /** What of it each side writes; undefined: everything. */
  readonly rules?: { readonly client: AccessLogRule; readonly server: AccessLogRule };
}

/** `some`: requests for which a CEL expression over the proxy's attributes holds. */
export type AccessLogRule = { readonly kind: "all" | "none" } | { readonly kind: "some"; readonly expression: string };

/** What one class of proxies needs: nothing in it is one proxy's own. */
export interface ClassIr {
  readonly upstreams: readonly Upstream[];
  readonly routeTables: readonly RouteTable[];
  readonly outbound?: OutboundProxy;
  /** The other way out: of programs that know nothing of their proxy. */
  readonly capturedOutbound?: CapturedOutbound;
  readonly inbound: readonly InboundPort[];
  /** Captured sidecars only: the kernel brings them connections to any port. */
  readonly capturedInbound?: CapturedInbound | undefined;
  readonly gatewayPorts: readonly GatewayPort[];
  readonly accessLog?: AccessLog;
  /** Whose identities are the mesh's: its trust domain and the aliases of it, separated by commas. */
  readonly trustDomains: string;
  readonly requestForm: RequestForm;
  /** How long a connection may be silent until it counts as none of HTTP, in milliseconds; 0: for ever. */
  readonly detectionTimeoutMs: number;
  /** What was asked for and these proxies cannot have, one sentence each, sorted. */
  readonly notes: readonly string[];
}

/** What one proxy needs. */
export interface ProxyIr {
  readonly shared: ClassIr;
  readonly own: MeshProxy;
}
