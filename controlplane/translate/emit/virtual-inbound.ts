// All that comes to a captured pod: one listener, to which the kernel leads every connection, whatever port it is for.
import type {
  FilterChain,
  Listener,
  ListenerFilter,
  ListenerFilterChainMatchPredicate,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import { VIRTUAL_INBOUND_PORT } from "../../model/capture-ports.ts";
import type { CapturedInbound, InboundPort, UndeclaredPorts } from "../ir/proxy.ts";
import { buildAccessLogs, buildRefusedConnectionLogs } from "./access-log.ts";
import { buildInboundChains, type ChainedPort, type InboundSettings } from "./inbound-chains.ts";
import { inboundClusterName } from "./inbound-cluster.ts";
import { httpInspector, tlsInspector, waitForServerFirst } from "./inspectors.ts";
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, VIRTUAL_INBOUND } from "./names.ts";

/** What the listener takes. */
export interface VirtualInbound extends CapturedInbound {
  readonly ports: readonly InboundPort[];
  /** Where it listens: `0.0.0.0`, or `::` for pods with an IPv6 address. */
  readonly wildcard: string;
}

/**
 * Returns the listener `virtualInbound`. Chains name the port that a connection was made to; those without one are for
 * ports that no Service declares. All but the chains is the same whatever the workload serves: Envoy then takes a
 * change of one port in place, and the connections of the others stay.
 */
export function buildVirtualInbound(
  { ports, undeclared, wildcard }: VirtualInbound,
  settings: InboundSettings,
): Listener {
  const chained = [...undeclared.map(undeclaredPorts), ...ports.map((port) => servedPort(port, wildcard))];
  return {
    name: VIRTUAL_INBOUND,
    address: { socketAddress: { address: wildcard, portValue: VIRTUAL_INBOUND_PORT } },
    enableReusePort: false,
    trafficDirection: "INBOUND",
    accessLog: buildRefusedConnectionLogs(settings.accessLog),
    listenerFilters: [originalDestination, ...inspectorsFor(ports)],
    ...waitForServerFirst,
    filterChains: [blackHole(settings), ...chained.flatMap((port) => buildInboundChains(port, settings))],
  };
}

/**
 * Where a port is told to leave bytes alone, nobody waits for a first one: a server may speak at once. All other ports
 * are looked into, also those that need not, so that the filters do not change with what a workload serves.
 */
function inspectorsFor(ports: readonly InboundPort[]): readonly ListenerFilter[] {
  const untouched = ports.filter(({ mtls, protocol }) => mtls === "DISABLE" && protocol === "tcp");
  const ownPort = isPort(VIRTUAL_INBOUND_PORT);
  const filterDisabled =
    untouched.length === 0 ? ownPort : { orMatch: { rules: [ownPort, ...untouched.map(({ port }) => isPort(port))] } };
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

/** Who connects to this very port was led here by nobody, and leads nowhere: else it would call itself for ever. */
function blackHole(settings: InboundSettings): FilterChain {
  return {
    name: `${VIRTUAL_INBOUND}-blackhole`,
    filterChainMatch: { destinationPort: VIRTUAL_INBOUND_PORT },
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
