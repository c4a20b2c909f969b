// All that comes to a captured pod: one listener, to which the kernel leads every connection, whatever port it is for.
import type {
  FilterChain,
  FilterChainMatch,
  Listener,
  ListenerFilter,
  ListenerFilterChainMatchPredicate,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import {
  ENVOY_PAGES_PORT,
  TPROXY_MARK,
  VIRTUAL_INBOUND_PORT,
  VIRTUAL_OUTBOUND_PORT,
} from "../../model/capture-ports.ts";
import type { CapturedInbound, InboundPort, UndeclaredPorts } from "../ir/proxy.ts";
import { buildAccessLogs, buildRefusedConnectionLogs } from "./access-log.ts";
import { listeningAt } from "./captured-addresses.ts";
import { buildInboundChains, type ChainedPort, type InboundSettings } from "./inbound-chains.ts";
import { inboundClusterName } from "./inbound-cluster.ts";
import { httpInspector, tlsInspector, waitForServerFirst } from "./inspectors.ts";
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, VIRTUAL_INBOUND } from "./names.ts";

/** What the listener takes. */
export interface VirtualInbound extends CapturedInbound {
  readonly ports: readonly InboundPort[];
  /** Where it listens: `0.0.0.0`, `::` for pods with an IPv6 address; the first is in names. */
  readonly wildcards: readonly string[];
}

/**
 * Returns the listener `virtualInbound`. Chains name the port that a connection was made to; those without one are for
 * ports that no Service declares. All but the chains is the same whatever the workload serves: Envoy then takes a
 * change of one port in place, and the connections of the others stay.
 */
export function buildVirtualInbound(
  { mode, ports: all, undeclared, wildcards }: VirtualInbound,
  settings: InboundSettings,
): Listener {
  const [first = ""] = wildcards;
  const ports = all.filter(({ openedAt }) => openedAt === undefined);
  const chained = [...undeclared.map(undeclaredPorts), ...ports.map((port) => servedPort(port, first))];
  return {
    name: VIRTUAL_INBOUND,
    ...listeningAt(wildcards, VIRTUAL_INBOUND_PORT),
    enableReusePort: false,
    trafficDirection: "INBOUND",
    accessLog: buildRefusedConnectionLogs(settings.accessLog),
    ...(mode === "TPROXY" && { transparent: true }),
    listenerFilters: [originalDestination, ...(mode === "TPROXY" ? [originalSource] : []), ...inspectorsFor(ports)],
    ...waitForServerFirst(settings.detectionTimeoutMs),
    filterChains: [
      ...untaken.map(([name, destinationPort]) => blackHole(name, { destinationPort }, settings)),
      blackHole("blackhole-loopback", { prefixRanges: loopback }, settings),
      ...chained.flatMap((port) => buildInboundChains(port, settings)),
    ],
  };
}

/**
 * Where a port is told to leave bytes alone, nobody waits for a first one: a server may speak at once. All other ports
 * are looked into, also those that need not, so that the filters do not change with what a workload serves.
 */
function inspectorsFor(served: readonly InboundPort[]): readonly ListenerFilter[] {
  const untouched = served.filter(({ mtls, protocol, tls }) => mtls === "DISABLE" && protocol === "tcp" && !tls);
  const ports = [...untaken.map(([, port]) => port), ...untouched.map(({ port }) => port)];
  const filterDisabled = { orMatch: { rules: ports.map(isPort) } };
  return [tlsInspector, httpInspector].map((inspector) => ({ ...inspector, filterDisabled }));
}

function isPort(port: number): ListenerFilterChainMatchPredicate {
  return { destinationPortRange: { start: port, end: port + 1 } };
}

/** Finds out where a connection was made to before the kernel led it here. */
const originalDestination: ListenerFilter = {
  name: "envoy.filters.listener.original_dst",
  typedConfig: packAny("OriginalDst", {}),
};

/** Has what follows come from the caller's address. */
const originalSource: ListenerFilter = {
  name: "envoy.filters.listener.original_src",
  typedConfig: packAny("OriginalSrc", { mark: TPROXY_MARK }),
};

function servedPort(port: InboundPort, wildcard: string): ChainedPort {
  const name = `${wildcard}_${port.port}`;
  return {
    traffic: port,
    name,
    statPrefix: `inbound_${name}`,
    cluster: inboundClusterName(port),
    port: port.port,
    host: port.service?.host ?? "*",
    inspected: true,
    match: { destinationPort: port.port },
  };
}

function undeclaredPorts({ port = 0, ...traffic }: UndeclaredPorts): ChainedPort {
  return {
    traffic,
    name: port === 0 ? VIRTUAL_INBOUND : `${VIRTUAL_INBOUND}_${port}`,
    statPrefix: INBOUND_PASSTHROUGH_CLUSTER,
    cluster: INBOUND_PASSTHROUGH_CLUSTER,
    port,
    host: "*",
    inspected: true,
    ...(port !== 0 && { match: { destinationPort: port } }),
  };
}

/** Who connects to these was led here by nobody, or is not meant to reach them; the first would call itself for ever. */
const untaken = [
  ["blackhole", VIRTUAL_INBOUND_PORT],
  ["blackhole-outbound", VIRTUAL_OUTBOUND_PORT],
  ["blackhole-pages", ENVOY_PAGES_PORT],
] as const;

/** Nobody outside means these: a neighbour that does wants what the pod serves to itself alone. */
const loopback: FilterChainMatch["prefixRanges"] = [
  { addressPrefix: "127.0.0.0", prefixLen: 8 },
  { addressPrefix: "::1", prefixLen: 128 },
];

/** A chain that takes connections and ends them. */
function blackHole(name: string, filterChainMatch: FilterChainMatch, settings: InboundSettings): FilterChain {
  return {
    name: `${VIRTUAL_INBOUND}-${name}`,
    filterChainMatch,
    filters: [
      {
        name: "envoy.filters.network.tcp_proxy",
        typedConfig: packAny("TcpProxy", {
          statPrefix: BLACK_HOLE_CLUSTER,
          cluster: BLACK_HOLE_CLUSTER,
          accessLog: buildAccessLogs(settings.accessLog, "server"),
        }),
      },
    ],
  };
}
