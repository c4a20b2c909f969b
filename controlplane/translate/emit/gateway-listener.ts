// One port of a gateway proxy: plaintext, or TLS with a filter chain for each kind of connections.
import type { Address, Filter, FilterChain, FilterChainMatch, Listener } from "../../../protos/build/envoy.ts";
import type { NamespacedAddress } from "../../model/socket-address.ts";
import type { GatewayChain } from "../ir/gateway.ts";
import type { PlacedGatewayPort } from "../ir/places.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { listenerName } from "./names.ts";
import { buildNetworkAuthorization } from "./network-authorization.ts";
import { withNetworkPlugins } from "./network-plugins.ts";
import { peerAddressFilter } from "./peer-address.ts";
import { noHttpInside, tlsInspector } from "./inspectors.ts";
import { buildTcpProxy } from "./tcp-proxy.ts";
import { buildGatewayTls, meshHttpAlpn, meshTcpAlpn } from "./tls.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** Envoy's recommendation for proxies that strangers speak to. */
const BUFFER_BYTES = 32_768;

/** What a gateway's listeners share. */
export interface GatewaySettings {
  /** Comma-separated. */
  readonly trustDomains: string;
  readonly requestForm: RequestForm;
  readonly accessLog?: AccessLog | undefined;
  /** Whether some route leads to where a request's own host resolves. */
  readonly forwards: boolean;
}

/** Returns the listener of one gateway port. */
export function buildGatewayListener(port: PlacedGatewayPort, settings: GatewaySettings): Listener {
  const isTls = port.chains.some(({ serverNames }) => serverNames !== undefined);
  return {
    name: listenerName(port.bind, port.port),
    address: { socketAddress: { address: port.bind.address, portValue: port.bind.port } },
    ...(port.published && { additionalAddresses: [{ address: publishedAddress(port.published) }] }),
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "OUTBOUND",
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    ...(isTls && { listenerFilters: [tlsInspector] }),
    filterChains: port.chains.map((chain) => buildChain(chain, port, settings)),
  };
}

/** Envoy opens the port in that namespace; it must be allowed to enter it. */
function publishedAddress({ address, port: portValue, networkNamespace }: NamespacedAddress): Address {
  return { socketAddress: { address, portValue, networkNamespaceFilepath: networkNamespace } };
}

function buildChain(chain: GatewayChain, port: PlacedGatewayPort, settings: GatewaySettings): FilterChain {
  const filterChainMatch = matchOf(chain);
  return {
    name: chain.name,
    ...(filterChainMatch && { filterChainMatch }),
    ...(chain.tls && { transportSocket: buildGatewayTls(chain.tls, settings.trustDomains) }),
    filters:
      chain.to.kind === "requests"
        ? httpFilters(chain.to.routeTable, port, settings)
        : connectionFilters(chain, chain.to, port, settings),
  };
}

function matchOf({ serverNames, onlyFromSidecars }: GatewayChain): FilterChainMatch | undefined {
  if (serverNames === undefined) return undefined;
  return {
    transportProtocol: "tls",
    ...(serverNames.length > 0 && { serverNames }),
    ...(onlyFromSidecars && { applicationProtocols: [...meshTcpAlpn, ...meshHttpAlpn] }),
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
  return [peerAddressFilter, ...withNetworkPlugins(port.networkPlugins), manager];
}

/** Mesh mutual TLS that is passed on is for policies of whoever ends it, as in Istio. */
function connectionFilters(
  { onlyFromSidecars }: GatewayChain,
  { targets, isHttpTarget }: Extract<GatewayChain["to"], { kind: "connections" }>,
  { connections, networkPlugins }: PlacedGatewayPort,
  { accessLog }: GatewaySettings,
): readonly Filter[] {
  return [
    ...(connections ? [buildWasmPlace(connections.telemetry)] : []),
    ...withNetworkPlugins(
      networkPlugins,
      onlyFromSidecars ? [] : buildNetworkAuthorization(connections?.authorization ?? []),
    ),
    ...(isHttpTarget ? [noHttpInside] : []),
    buildTcpProxy(targets, accessLog),
  ];
}
