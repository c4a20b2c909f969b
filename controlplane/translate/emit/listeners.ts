// consumes: the filters and ports of a proxy
// produces: its listeners, by name; the same map for the same parts
// never does: encode a filter that another listener has too
import type { Listener } from "../../../protos/build/envoy.ts";
import { interned } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import type { OutboundProxy, ProxyIr } from "../ir/proxy.ts";
import { forwardClusters } from "./clusters.ts";
import { buildGatewayListener } from "./gateway-listener.ts";
import { buildInboundListener } from "./inbound-listener.ts";
import { buildConnectListener, buildOutboundListener, type OutboundSettings } from "./outbound-listener.ts";
import { byName } from "./resources.ts";
import { withNumberedFilters } from "./shared-filters.ts";

/** Returns the listeners. */
export function listenersOf(ir: ProxyIr): ReadonlyMap<string, Listener> {
  const { inbound, gatewayPorts, outbound, accessLog, trustDomain } = ir;
  const forwards = forwardClusters(ir.upstreams, outbound?.unknownHosts).size > 0;
  // The same objects make the same listeners: content is looked at only where one is another object.
  return byParts(inbound, gatewayPorts, outbound, accessLog, trustDomain, forwards);
}

/** The parts of an IR that listeners are made of. */
interface ListenerParts extends Pick<ProxyIr, "inbound" | "gatewayPorts" | "trustDomain"> {
  readonly outbound: OutboundProxy | undefined;
  readonly settings: OutboundSettings;
}

const byParts = memoized(
  (
    inbound: ProxyIr["inbound"],
    gatewayPorts: ProxyIr["gatewayPorts"],
    outbound: ProxyIr["outbound"],
    accessLog: ProxyIr["accessLog"],
    trustDomain: string,
    forwards: boolean,
  ) => byContent({ inbound, gatewayPorts, outbound, trustDomain, settings: { accessLog, forwards } }),
);

const byContent = interned(
  withNumberedFilters,
  ({ inbound, gatewayPorts, outbound, trustDomain, settings }: ListenerParts): ReadonlyMap<string, Listener> =>
    byName([
      ...(outbound ? [connectListener({ outbound, settings }), buildOutboundListener(outbound, settings)] : []),
      ...inbound.map((port) => buildInboundListener(port, { trustDomain, accessLog: settings.accessLog })),
      ...gatewayPorts.map((port) => buildGatewayListener(port, settings)),
    ]),
);

/** It has no address of its own: proxies with equal filters share it. */
const connectListener = interned(
  ({
    outbound: { bind: _, ...outbound },
    settings,
  }: {
    readonly outbound: OutboundProxy;
    readonly settings: OutboundSettings;
  }) => withNumberedFilters({ outbound, settings }),
  ({ outbound, settings }) => buildConnectListener(outbound, settings),
);
