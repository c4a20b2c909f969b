// One inbound port of a workload as filter chains, one for each kind of connection that it takes.
import type { Filter, FilterChain, FilterChainMatch, RouteConfiguration } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { RequestForm } from "../../model/request-form.ts";
import { interned } from "../../world/interned.ts";
import type { AccessLog, InboundPort, InboundTraffic } from "../ir/proxy.ts";
import type { ConnectionLimits } from "../ir/upstream.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { plainHttp } from "./inspectors.ts";
import { buildNetworkAuthorization } from "./network-authorization.ts";
import { withNetworkPlugins } from "./network-plugins.ts";
import { peerAddressFilter } from "./peer-address.ts";
import { buildDownstreamMeshTls, buildGatewayTls, meshHttpAlpn, meshTcpAlpn } from "./tls.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** What all listeners of a proxy share. */
export interface InboundSettings {
  /** Comma-separated. */
  readonly trustDomains: string;
  readonly requestForm: RequestForm;
  /** How long a silent connection is looked at. */
  readonly detectionTimeoutMs: number;
  readonly accessLog?: AccessLog | undefined;
}

/** What a listener takes at one port, and where it leads. */
export interface ChainedPort {
  readonly traffic: InboundTraffic & Pick<InboundPort, "limits" | "tls">;
  /** What the names of the chains begin with: `127.10.4.7_9080`. */
  readonly name: string;
  readonly statPrefix: string;
  readonly cluster: string;
  /** 0 where the chains are for all ports that nobody declared. */
  readonly port: number;
  /** The service in whose name requests are traced; "*" where there is none. */
  readonly host: string;
  /** Whether the listener finds out which connections begin with TLS. */
  readonly inspected: boolean;
  /** Chains of a listener that is for many ports name theirs. */
  readonly match?: FilterChainMatch;
}

/**
 * Returns the chains of one port. STRICT: a connection that is not mutual TLS finds no chain and is reset. PERMISSIVE:
 * connections that offer the mesh's ALPN get mutual TLS, others are taken as they are. DISABLE: the bytes are the
 * application's, TLS too. Where nobody says what the port speaks, the mesh's ALPN or the first bytes tell HTTP.
 */
export function buildInboundChains(port: ChainedPort, settings: InboundSettings): readonly FilterChain[] {
  return chainsOf(port).map((chain) => buildChain(port, settings, chain));
}

/** Returns whether the port may carry what is not HTTP, of which the server may speak first. */
export function mayBeTcp({ protocol }: Pick<InboundTraffic, "protocol">): boolean {
  return protocol === "tcp" || protocol === "auto";
}

/** What is taken at a port, and how. */
interface Chain {
  readonly suffix: string;
  readonly match?: FilterChainMatch | undefined;
  /** What is ended here: mutual TLS of the mesh, the port's own, or none. */
  readonly tls: "mesh" | "own" | "none";
  readonly http: boolean;
}

function chainsOf(port: ChainedPort): readonly Chain[] {
  const { mtls, tls } = port.traffic;
  if (tls !== undefined)
    return [{ suffix: "tls", match: { transportProtocol: "tls" }, tls: "own", http: port.traffic.protocol !== "tcp" }];
  return [
    ...(mtls === "DISABLE" ? [] : mutualTlsChains(port.traffic)),
    ...(mtls === "STRICT" ? [] : plainChains(port)),
  ];
}

function mutualTlsChains({ mtls, protocol }: InboundTraffic): readonly Chain[] {
  const offering = (applicationProtocols: readonly string[]) => ({ transportProtocol: "tls", applicationProtocols });
  const rest = protocol === "auto" ? meshTcpAlpn : [...meshTcpAlpn, ...meshHttpAlpn];
  return [
    ...(protocol === "auto"
      ? [{ suffix: "mtls_http", match: offering(meshHttpAlpn), tls: "mesh" as const, http: true }]
      : []),
    {
      suffix: "mtls",
      match: mtls === "STRICT" ? { transportProtocol: "tls" } : offering(rest),
      tls: "mesh",
      http: protocol !== "auto" && protocol !== "tcp",
    },
  ];
}

/**
 * TLS without the mesh's ALPN is for an application that speaks TLS itself; its chain must name the transport, for
 * Envoy does not go back from the mesh's chain, which does, to one that names none. HTTP is looked into, and so must be
 * plaintext.
 */
function plainChains({ traffic, inspected }: ChainedPort): readonly Chain[] {
  const plain = (suffix: string, http: boolean, match?: Chain["match"]) => ({
    suffix,
    match,
    tls: "none" as const,
    http,
  });
  const raw = inspected ? { transportProtocol: "raw_buffer" } : undefined;
  if (!mayBeTcp(traffic)) return [plain("plaintext", true, raw)];
  return [
    ...(traffic.protocol === "auto"
      ? [plain("plaintext_http", true, { ...raw, applicationProtocols: plainHttp })]
      : []),
    plain("plaintext", false, raw),
    ...(inspected ? [plain("tls", false, { transportProtocol: "tls" })] : []),
  ];
}

function buildChain(port: ChainedPort, settings: InboundSettings, chain: Chain): FilterChain {
  const { suffix, match, tls, http } = chain;
  const transportSocket = socketOf(port.traffic, settings, chain);
  const filterChainMatch = match || port.match ? { ...port.match, ...match } : undefined;
  return {
    name: `${port.name}_${suffix}`,
    ...(filterChainMatch && { filterChainMatch }),
    ...(transportSocket && { transportSocket }),
    filters: http ? httpFilters(port, settings, tls === "mesh") : tcpFilters(port, settings, tls !== "none"),
  };
}

function socketOf(traffic: ChainedPort["traffic"], { trustDomains }: InboundSettings, { tls, http }: Chain) {
  if (tls === "mesh") return buildDownstreamMeshTls(trustDomains, http ? alpnOf(traffic) : []);
  return tls === "own" && traffic.tls !== undefined ? buildGatewayTls(traffic.tls, trustDomains) : undefined;
}

/** A port that was not declared HTTP/2 takes it too, if a client speaks it unasked. */
function alpnOf({ protocol }: InboundTraffic): readonly string[] {
  return protocol === "http2" ? ["h2", "http/1.1"] : ["http/1.1"];
}

function httpFilters(port: ChainedPort, settings: InboundSettings, authenticated: boolean): readonly Filter[] {
  const manager = buildHttpConnectionManager({
    statPrefix: port.statPrefix,
    routes: inboundRoutes(port),
    filters: port.traffic.filters,
    direction: "inbound",
    requestForm: settings.requestForm,
    accessLog: settings.accessLog,
    // A mesh peer (a gateway) may say whom it speaks for; someone in plaintext may not.
    useRemoteAddress: !authenticated,
  });
  return [peerAddressFilter, ...withNetworkPlugins(port.traffic.networkPlugins), manager];
}

function tcpFilters({ traffic, cluster }: ChainedPort, settings: InboundSettings, secured: boolean): readonly Filter[] {
  return [
    ...(traffic.tcpTelemetry ? [buildWasmPlace(traffic.tcpTelemetry)] : []),
    ...withNetworkPlugins(traffic.networkPlugins, buildNetworkAuthorization(traffic.tcpAuthorization ?? [])),
    {
      name: "envoy.filters.network.tcp_proxy",
      typedConfig: packAny("TcpProxy", {
        statPrefix: cluster,
        cluster,
        // As the client's side has it: its ends may be silent for as long as they like.
        idleTimeout: durationFromMs(0),
        // Who has not ended its handshake yet opens no connection to the application.
        ...(secured && { upstreamConnectMode: "ON_DOWNSTREAM_TLS_HANDSHAKE", maxEarlyDataBytes: EARLY_DATA_BYTES }),
        ...durationsOf(traffic.limits),
        accessLog: buildAccessLogs(settings.accessLog, "server"),
      }),
    },
  ];
}

function durationsOf({ tcpIdleTimeoutMs, maxConnectionDurationMs }: Partial<ConnectionLimits> = {}) {
  return {
    ...(tcpIdleTimeoutMs !== undefined && { idleTimeout: durationFromMs(tcpIdleTimeoutMs) }),
    ...(maxConnectionDurationMs !== undefined && {
      maxDownstreamConnectionDuration: durationFromMs(maxConnectionDurationMs),
    }),
  };
}

/** What of a connection is kept until the application's is open. */
const EARLY_DATA_BYTES = 65_536;

/** Timeouts and retries are the caller's; here only what the application never got to see is sent again. */
const inboundRoutes = interned(
  ({ cluster, port, host }: ChainedPort) => [cluster, port, host],
  ({ cluster, port, host }): { readonly inline: RouteConfiguration } => ({
    inline: {
      name: cluster,
      validateClusters: false,
      virtualHosts: [
        {
          name: `inbound|http|${port}`,
          domains: ["*"],
          routes: [
            {
              name: "default",
              match: { prefix: "/" },
              decorator: { operation: `${host}:${port}/*` },
              route: {
                cluster,
                timeout: durationFromMs(0),
                maxStreamDuration: { maxStreamDuration: durationFromMs(0), grpcTimeoutHeaderMax: durationFromMs(0) },
                retryPolicy: { retryOn: "reset-before-request", numRetries: 2 },
              },
            },
          ],
        },
      ],
    },
  }),
);
