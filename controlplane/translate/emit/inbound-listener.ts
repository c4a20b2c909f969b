// One port of the workload behind a sidecar: its listener, with a filter chain for each kind of connection it takes.
import type { Filter, FilterChain, Listener, RouteConfiguration } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { PlacedInboundPort } from "../ir/places.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { buildAccessLogs, buildRefusedConnectionLogs } from "./access-log.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { interned } from "../../world/interned.ts";
import { inboundClusterName } from "./inbound-cluster.ts";
import { buildNetworkAuthorization } from "./network-authorization.ts";
import { peerAddressFilter } from "./peer-address.ts";
import { buildDownstreamMeshTls, meshAlpn, tlsInspector } from "./tls.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** What all listeners of a proxy share. */
export interface InboundSettings {
  readonly trustDomain: string;
  readonly accessLog?: AccessLog | undefined;
}

/** Returns the listener's name, e.g. `127.10.4.7_9080`. */
export function inboundListenerName(port: PlacedInboundPort): string {
  return `${port.bind.address}_${port.port}`;
}

/**
 * Returns the listener of one port. STRICT: a connection that is not mutual TLS finds no chain and is reset.
 * PERMISSIVE: connections that offer the mesh's ALPN get mutual TLS, others plaintext. DISABLE: the bytes are the
 * application's, TLS too.
 */
export function buildInboundListener(port: PlacedInboundPort, settings: InboundSettings): Listener {
  const inspected = port.mtls !== "DISABLE";
  return {
    name: inboundListenerName(port),
    address: { socketAddress: { address: port.bind.address, portValue: port.bind.port } },
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "INBOUND",
    accessLog: buildRefusedConnectionLogs(settings.accessLog),
    ...(inspected && {
      listenerFilters: [tlsInspector],
      ...(port.mtls === "PERMISSIVE" && port.protocol === "tcp" && waitForServerFirst),
    }),
    filterChains: filterChains(port, settings),
  };
}

/**
 * A client of a protocol in which the server speaks first sends nothing to look at: after a while it counts as
 * plaintext.
 */
const waitForServerFirst: Listener = {
  listenerFiltersTimeout: durationFromMs(1_000),
  continueOnListenerFiltersTimeout: true,
};

function filterChains(port: PlacedInboundPort, settings: InboundSettings): readonly FilterChain[] {
  const name = inboundListenerName(port);
  const chains: FilterChain[] = [];
  if (port.mtls !== "DISABLE") {
    chains.push({
      name: `${name}_mtls`,
      filterChainMatch: {
        transportProtocol: "tls",
        ...(port.mtls === "PERMISSIVE" && { applicationProtocols: meshAlpn }),
      },
      transportSocket: buildDownstreamMeshTls(settings.trustDomain, alpnOf(port)),
      filters: networkFilters(port, settings, true),
    });
  }
  if (port.mtls !== "STRICT") {
    // TLS without the mesh's ALPN is for an application that speaks TLS itself; HTTP in plaintext is looked into, and
    // so must be plaintext.
    const match =
      port.protocol === "http" && port.mtls === "PERMISSIVE"
        ? { filterChainMatch: { transportProtocol: "raw_buffer" } }
        : {};
    chains.push({ name: `${name}_plaintext`, ...match, filters: networkFilters(port, settings, false) });
  }
  return chains;
}

/** Only HTTP is negotiated; a port that was not declared HTTP/2 takes it too, if a client speaks it unasked. */
function alpnOf(port: PlacedInboundPort): readonly string[] {
  if (port.protocol === "tcp") return [];
  return port.http2 ? ["h2", "http/1.1"] : ["http/1.1"];
}

function networkFilters(port: PlacedInboundPort, settings: InboundSettings, authenticated: boolean): readonly Filter[] {
  return port.protocol === "http" ? httpFilters(port, settings, authenticated) : tcpFilters(port, settings);
}

function httpFilters(port: PlacedInboundPort, settings: InboundSettings, authenticated: boolean): readonly Filter[] {
  const manager = buildHttpConnectionManager({
    statPrefix: `inbound_${port.port}`,
    routes: inboundRoutes(port),
    filters: port.filters,
    direction: "inbound",
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
