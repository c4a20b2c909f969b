// One port of the workload behind a sidecar that is told of: its listener.
import type { Listener, ListenerFilter } from "../../../protos/build/envoy.ts";
import type { PlacedInboundPort } from "../ir/places.ts";
import { buildRefusedConnectionLogs } from "./access-log.ts";
import { buildInboundChains, type InboundSettings, mayBeTcp } from "./inbound-chains.ts";
import { inboundClusterName } from "./inbound-cluster.ts";
import { httpInspector, tlsInspector, waitForServerFirst } from "./inspectors.ts";

type ListeningPort = Omit<PlacedInboundPort, "application">;

/** Returns the listener of one port; its name is e.g. `127.10.4.7_9080`. */
export function buildInboundListener(port: ListeningPort, settings: InboundSettings): Listener {
  const inspectors = inspectorsOf(port);
  const name = `${port.bind.address}_${port.port}`;
  const chains = buildInboundChains(
    {
      traffic: port,
      name,
      statPrefix: `inbound_${port.port}`,
      cluster: inboundClusterName(port),
      port: port.port,
      host: port.service?.host ?? "*",
      inspected: port.mtls !== "DISABLE" || port.tls !== undefined,
    },
    settings,
  );
  return {
    name,
    address: { socketAddress: { address: port.bind.address, portValue: port.bind.port } },
    // Two proxies at one address would share requests in silence: the second is to fail.
    enableReusePort: false,
    trafficDirection: "INBOUND",
    accessLog: buildRefusedConnectionLogs(settings.accessLog),
    ...(inspectors.length > 0 && {
      listenerFilters: inspectors,
      ...(port.mtls !== "STRICT" && mayBeTcp(port) && waitForServerFirst(settings.detectionTimeoutMs)),
    }),
    filterChains: chains,
  };
}

function inspectorsOf({ mtls, protocol, tls }: ListeningPort): readonly ListenerFilter[] {
  return [
    ...(mtls === "DISABLE" && tls === undefined ? [] : [tlsInspector]),
    ...(mtls !== "STRICT" && protocol === "auto" ? [httpInspector] : []),
  ];
}
