// One port of a gateway proxy: plain HTTP, or HTTPS with a filter chain for each certificate.
import type { Address, Filter, FilterChain, Listener } from "../../../protos/build/envoy.ts";
import type { NamespacedAddress } from "../../model/socket-address.ts";
import type { PlacedGatewayPort } from "../ir/places.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { AccessLog, GatewayTls } from "../ir/proxy.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { listenerName } from "./names.ts";
import { peerAddressFilter } from "./peer-address.ts";
import { tlsInspector } from "./inspectors.ts";
import { buildGatewayTls } from "./tls.ts";

/** Envoy's recommendation for proxies that strangers speak to. */
const BUFFER_BYTES = 32_768;

/** What a gateway's listeners share. */
export interface GatewaySettings {
  readonly requestForm: RequestForm;
  readonly accessLog?: AccessLog | undefined;
  /** Whether some route leads to where a request's own host resolves. */
  readonly forwards: boolean;
}

/** Returns the listener of one gateway port. */
export function buildGatewayListener(port: PlacedGatewayPort, settings: GatewaySettings): Listener {
  const name = listenerName(port.bind, port.port);
  const https = port.kind.protocol === "HTTPS";
  return {
    name,
    address: { socketAddress: { address: port.bind.address, portValue: port.bind.port } },
    ...(port.published && { additionalAddresses: [{ address: publishedAddress(port.published) }] }),
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "OUTBOUND",
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    ...(https && { listenerFilters: [tlsInspector] }),
    filterChains:
      port.kind.protocol === "HTTP"
        ? [{ name: port.kind.routeTable, filters: httpFilters(port.kind.routeTable, port, settings) }]
        : port.kind.servers.map((server) => tlsChain(server, port, settings)),
  };
}

/** Envoy opens the port in that namespace; it must be allowed to enter it. */
function publishedAddress({ address, port: portValue, networkNamespace }: NamespacedAddress): Address {
  return { socketAddress: { address, portValue, networkNamespaceFilepath: networkNamespace } };
}

function tlsChain(server: GatewayTls, port: PlacedGatewayPort, settings: GatewaySettings): FilterChain {
  const serverNames = server.serverNames.length > 0 ? { serverNames: server.serverNames } : {};
  return {
    name: `${server.routeTable}~${server.serverNames.join(",")}`,
    filterChainMatch: { transportProtocol: "tls", ...serverNames },
    transportSocket: buildGatewayTls(server),
    filters: httpFilters(server.routeTable, port, settings),
  };
}

function httpFilters(routeTable: string, port: PlacedGatewayPort, settings: GatewaySettings): readonly Filter[] {
  const manager = buildHttpConnectionManager({
    statPrefix: `outbound_${port.port}`,
    routes: { rds: routeTable },
    filters: port.filters,
    direction: "gateway",
    unknownHosts: settings.forwards ? "forward" : "refuse",
    requestForm: settings.requestForm,
    accessLog: settings.accessLog,
  });
  return [peerAddressFilter, manager];
}
