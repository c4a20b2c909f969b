// One port of the workload behind a sidecar: its listener, with a filter chain for each kind of connection it takes.
import type { Filter, FilterChain, Listener, ListenerFilter, RouteConfiguration } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { PlacedInboundPort } from "../ir/places.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { buildAccessLogs, buildRefusedConnectionLogs } from "./access-log.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { interned } from "../../world/interned.ts";
import { inboundClusterName } from "./inbound-cluster.ts";
import { buildNetworkAuthorization } from "./network-authorization.ts";
import { peerAddressFilter } from "./peer-address.ts";
import { httpInspector, plainHttp, tlsInspector, waitForServerFirst } from "./inspectors.ts";
import { buildDownstreamMeshTls, meshHttpAlpn, meshTcpAlpn } from "./tls.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** What all listeners of a proxy share. */
export interface InboundSettings {
  /** Comma-separated. */
  readonly trustDomains: string;
  readonly requestForm: RequestForm;
  readonly accessLog?: AccessLog | undefined;
}

/** Returns the listener's name, e.g. `127.10.4.7_9080`. */
function inboundListenerName(port: PlacedInboundPort): string {
  return `${port.bind.address}_${port.port}`;
}

/**
 * Returns the listener of one port. STRICT: a connection that is not mutual TLS finds no chain and is reset.
 * PERMISSIVE: connections that offer the mesh's ALPN get mutual TLS, others are taken as they are. DISABLE: the bytes
 * are the application's, TLS too. Where nobody says what the port speaks, the mesh's ALPN or the first bytes tell HTTP.
 */
export function buildInboundListener(port: PlacedInboundPort, settings: InboundSettings): Listener {
  const inspectors = inspectorsOf(port);
  return {
    name: inboundListenerName(port),
    address: { socketAddress: { address: port.bind.address, portValue: port.bind.port } },
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "INBOUND",
    accessLog: buildRefusedConnectionLogs(settings.accessLog),
    ...(inspectors.length > 0 && {
      listenerFilters: inspectors,
      ...(port.mtls !== "STRICT" && mayBeTcp(port) && waitForServerFirst),
    }),
    filterChains: chainsOf(port).map((chain) => buildChain(port, settings, chain)),
  };
}

function inspectorsOf({ mtls, protocol }: PlacedInboundPort): readonly ListenerFilter[] {
  return [
    ...(mtls === "DISABLE" ? [] : [tlsInspector]),
    ...(mtls !== "STRICT" && protocol === "auto" ? [httpInspector] : []),
  ];
}

function mayBeTcp({ protocol }: PlacedInboundPort): boolean {
  return protocol === "tcp" || protocol === "auto";
}

/** What is taken at a port, and how. */
interface Chain {
  readonly suffix: string;
  readonly match?: FilterChain["filterChainMatch"];
  readonly mtls: boolean;
  readonly http: boolean;
}

function chainsOf(port: PlacedInboundPort): readonly Chain[] {
  return [
    ...(port.mtls === "DISABLE" ? [] : mutualTlsChains(port)),
    ...(port.mtls === "STRICT" ? [] : plainChains(port)),
  ];
}

function mutualTlsChains({ mtls, protocol }: PlacedInboundPort): readonly Chain[] {
  const offering = (applicationProtocols: readonly string[]) => ({ transportProtocol: "tls", applicationProtocols });
  const rest = protocol === "auto" ? meshTcpAlpn : [...meshTcpAlpn, ...meshHttpAlpn];
  return [
    ...(protocol === "auto" ? [{ suffix: "mtls_http", match: offering(meshHttpAlpn), mtls: true, http: true }] : []),
    {
      suffix: "mtls",
      match: mtls === "STRICT" ? { transportProtocol: "tls" } : offering(rest),
      mtls: true,
      http: protocol !== "auto" && protocol !== "tcp",
    },
  ];
}

/**
 * TLS without the mesh's ALPN is for an application that speaks TLS itself; its chain must name the transport, for
 * Envoy does not go back from the mesh's chain, which does, to one that names none. HTTP is looked into, and so must be
 * plaintext.
 */
function plainChains(port: PlacedInboundPort): readonly Chain[] {
  const plain = (suffix: string, http: boolean, match?: Chain["match"]) => ({ suffix, match, mtls: false, http });
  const inspected = port.mtls === "DISABLE" ? undefined : { transportProtocol: "raw_buffer" };
  if (!mayBeTcp(port)) return [plain("plaintext", true, inspected)];
  return [
    ...(port.protocol === "auto"
      ? [plain("plaintext_http", true, { ...inspected, applicationProtocols: plainHttp })]
      : []),
    plain("plaintext", false, inspected),
    ...(inspected ? [plain("tls", false, { transportProtocol: "tls" })] : []),
  ];
}

function buildChain(
  port: PlacedInboundPort,
  settings: InboundSettings,
  { suffix, match, mtls, http }: Chain,
): FilterChain {
  return {
    name: `${inboundListenerName(port)}_${suffix}`,
    ...(match && { filterChainMatch: match }),
    ...(mtls && { transportSocket: buildDownstreamMeshTls(settings.trustDomains, http ? alpnOf(port) : []) }),
    filters: http ? httpFilters(port, settings, mtls) : tcpFilters(port, settings),
  };
}

/** A port that was not declared HTTP/2 takes it too, if a client speaks it unasked. */
function alpnOf({ protocol }: PlacedInboundPort): readonly string[] {
  return protocol === "http2" ? ["h2", "http/1.1"] : ["http/1.1"];
}

function httpFilters(port: PlacedInboundPort, settings: InboundSettings, authenticated: boolean): readonly Filter[] {
  const manager = buildHttpConnectionManager({
    statPrefix: `inbound_${port.port}`,
    routes: inboundRoutes(port),
    filters: port.filters,
    direction: "inbound",
    requestForm: settings.requestForm,
    accessLog: settings.accessLog,
    // A mesh peer (a gateway) may say whom it speaks for; someone in plaintext may not.
    useRemoteAddress: !authenticated,
  });
  return [peerAddressFilter, manager];
}

function tcpFilters(port: PlacedInboundPort, settings: InboundSettings): readonly Filter[] {
  const cluster = inboundClusterName(port);
  return [
    ...(port.tcpTelemetry ? [buildWasmPlace(port.tcpTelemetry)] : []),
    ...buildNetworkAuthorization(port.tcpAuthorization ?? []),
    {
      name: "envoy.filters.network.tcp_proxy",
      typedConfig: packAny("TcpProxy", {
        statPrefix: cluster,
        cluster,
        accessLog: buildAccessLogs(settings.accessLog, "server"),
      }),
    },
  ];
}

/** Timeouts and retries are the caller's; here only what the application never got to see is sent again. */
const inboundRoutes = interned(
  ({ port, service }: PlacedInboundPort) => [port, service?.host],
  (port): { readonly inline: RouteConfiguration } => {
    const cluster = inboundClusterName(port);
    const service = port.service?.host ?? "*";
    return {
      inline: {
        name: cluster,
        validateClusters: false,
        virtualHosts: [
          {
            name: `inbound|http|${port.port}`,
            domains: ["*"],
            routes: [
              {
                name: "default",
                match: { prefix: "/" },
                decorator: { operation: `${service}:${port.port}/*` },
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
    };
  },
);
