// A sidecar's way out: the explicit proxy's listener, and those inside the proxy that read on in tunnels.
import type { Filter, Listener } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { PlacedOutboundProxy } from "../ir/places.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { AccessLog, OutboundProxy } from "../ir/proxy.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { httpInspector, noHttpInside, plainHttp, tlsInspector, waitForServerFirst } from "./inspectors.ts";
import { BLACK_HOLE_CLUSTER, CONNECT_NAME, listenerName, SNIFFED_CONNECT_NAME } from "./names.ts";

/** What the listeners share. */
export interface OutboundSettings {
  readonly requestForm: RequestForm;
  readonly detectionTimeoutMs: number;
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
  return {
    ...insideProxy(CONNECT_NAME),
    listenerFilters: [tlsInspector],
    filterChains: [
      {
        name: "http",
        filterChainMatch: { transportProtocol: "raw_buffer" },
        filters: [routed(CONNECT_NAME, outbound, settings, false)],
      },
      { name: "tls", filterChainMatch: { transportProtocol: "tls" }, filters: opaqueFilters(CONNECT_NAME, settings) },
    ],
  };
}

/**
 * Returns the one for hosts of which nobody says what they speak: what does not begin as HTTP does goes on as it is.
 */
export function buildSniffedConnectListener(outbound: OutboundProxy, settings: OutboundSettings): Listener {
  return {
    ...insideProxy(SNIFFED_CONNECT_NAME),
    listenerFilters: [httpInspector],
    ...waitForServerFirst(settings.detectionTimeoutMs),
    filterChains: [
      {
        name: "http",
        filterChainMatch: { applicationProtocols: plainHttp },
        filters: [routed(SNIFFED_CONNECT_NAME, outbound, settings, false)],
      },
      { name: "opaque", filters: [noHttpInside, ...opaqueFilters(SNIFFED_CONNECT_NAME, settings)] },
    ],
  };
}

function insideProxy(name: string): Listener {
  return { name, internalListener: {}, trafficDirection: "OUTBOUND" };
}

function routed(statPrefix: string, outbound: OutboundProxy, settings: OutboundSettings, connect: boolean): Filter {
  return buildHttpConnectionManager({
    statPrefix,
    routes: { rds: outbound.routeTable },
    filters: outbound.filters,
    direction: "outbound",
    unknownHosts: settings.forwards ? "forward" : "refuse",
    requestForm: settings.requestForm,
    accessLog: settings.accessLog,
    connect,
  });
}

/** The tunnel's route has said where opaque bytes go (emit/connect-target.ts); should it not have, they go nowhere. */
function opaqueFilters(name: string, settings: OutboundSettings): readonly Filter[] {
  const proxy = {
    statPrefix: `${name}_opaque`,
    cluster: BLACK_HOLE_CLUSTER,
    accessLog: buildAccessLogs(settings.accessLog, "client"),
  };
  return [{ name: "envoy.filters.network.tcp_proxy", typedConfig: packAny("TcpProxy", proxy) }];
}
