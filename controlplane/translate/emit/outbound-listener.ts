// A sidecar's way out: the explicit proxy's listener, and the one inside the proxy that reads on in tunnels.
import type { Filter, FilterChain, Listener } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { PlacedOutboundProxy } from "../ir/places.ts";
import type { AccessLog, OutboundProxy } from "../ir/proxy.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { BLACK_HOLE_CLUSTER, CONNECT_NAME, listenerName } from "./names.ts";
import { tlsInspector } from "./tls.ts";

/** What the two listeners share. */
export interface OutboundSettings {
  readonly accessLog?: AccessLog | undefined;
  /** Whether some route leads to where a request's own host resolves. */
  readonly forwards: boolean;
}

/** Returns the listener that applications use as their HTTP proxy: absolute-form, HTTP/2 by `:authority`, CONNECT. */
export function buildOutboundListener(outbound: PlacedOutboundProxy, settings: OutboundSettings): Listener {
  return {
    name: listenerName(outbound.bind),
    address: { socketAddress: { address: outbound.bind.address, portValue: outbound.bind.port } },
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "OUTBOUND",
    filterChains: [{ name: "http", filters: [routed(`outbound_${outbound.bind.port}`, outbound, settings, true)] }],
  };
}

/**
 * Returns the listener inside the proxy to which tunnels for hosts that speak HTTP lead. HTTP takes the same routes as
 * without a tunnel; TLS, which only the two ends can read, goes on as it is to the host that the tunnel was asked for.
 */
export function buildConnectListener(outbound: OutboundProxy, settings: OutboundSettings): Listener {
  const plaintext: FilterChain = {
    name: "http",
    filterChainMatch: { transportProtocol: "raw_buffer" },
    filters: [routed(CONNECT_NAME, outbound, settings, false)],
  };
  const opaque: FilterChain = {
    name: "tls",
    filterChainMatch: { transportProtocol: "tls" },
    filters: opaqueFilters(settings),
  };
  return {
    name: CONNECT_NAME,
    internalListener: {},
    trafficDirection: "OUTBOUND",
    listenerFilters: [tlsInspector],
    filterChains: [plaintext, opaque],
  };
}

function routed(statPrefix: string, outbound: OutboundProxy, settings: OutboundSettings, connect: boolean): Filter {
  return buildHttpConnectionManager({
    statPrefix,
    routes: { rds: outbound.routeTable },
    filters: outbound.filters,
    direction: "outbound",
    unknownHosts: settings.forwards ? "forward" : "refuse",
    accessLog: settings.accessLog,
    connect,
  });
}

/** The tunnel's route has said where opaque bytes go (emit/connect-target.ts); should it not have, they go nowhere. */
function opaqueFilters(settings: OutboundSettings): readonly Filter[] {
  const proxy = {
    statPrefix: `${CONNECT_NAME}_tls`,
    cluster: BLACK_HOLE_CLUSTER,
    accessLog: buildAccessLogs(settings.accessLog, "client"),
  };
  return [{ name: "envoy.filters.network.tcp_proxy", typedConfig: packAny("TcpProxy", proxy) }];
}
