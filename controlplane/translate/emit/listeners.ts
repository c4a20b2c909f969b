// consumes: the filters and ports of a class of proxies, and where one proxy has them
// produces: that proxy's listeners, by name; the same map for the same parts
// never does: encode a filter that another listener has too
import type { Listener } from "../../../protos/build/envoy.ts";
import { interned } from "../../world/interned.ts";
import { layered } from "../../world/layered-map.ts";
import { memoized } from "../../world/memo.ts";
import { openedPorts, placeGatewayPorts, placeInbound, placeOutbound } from "../ir/places.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { ClassIr, OutboundProxy, ProxyIr } from "../ir/proxy.ts";
import type { MeshProxy } from "../ir/proxy-class.ts";
import { wildcardsOf } from "./captured-addresses.ts";
import { capturedListeners } from "./captured-listeners.ts";
import { forwardClusters, lookedUpHosts } from "./clusters.ts";
import { buildGatewayListener } from "./gateway-listener.ts";
import type { InboundSettings } from "./inbound-chains.ts";
import { buildInboundListener } from "./inbound-listener.ts";
import {
  buildConnectListener,
  buildOutboundListener,
  buildSniffedConnectListener,
  type OutboundSettings,
} from "./outbound-listener.ts";
import { byName } from "./resources.ts";
import { withNumberedFilters } from "./shared-filters.ts";
import { buildVirtualInbound, type VirtualInbound } from "./virtual-inbound.ts";

/** Returns the listeners. */
export function listenersOf({ shared, own }: ProxyIr): ReadonlyMap<string, Listener> {
  const { inbound, capturedInbound, gatewayPorts, outbound, capturedOutbound } = shared;
  const { accessLog, trustDomains, requestForm, detectionTimeoutMs, upstreams } = shared;
  const forwards = forwardClusters(upstreams, lookedUpHosts(shared)).size > 0;
  const listeners = byParts(
    inbound,
    capturedInbound,
    gatewayPorts,
    outbound,
    accessLog,
    trustDomains,
    requestForm,
    detectionTimeoutMs,
    forwards,
    own,
  );
  return capturedOutbound === undefined
    ? listeners
    : layered(
        capturedListeners(capturedOutbound, { requestForm, detectionTimeoutMs, accessLog }, wildcardsOf(own)),
        listeners,
      );
}

const byParts = memoized(
  (
    inbound: ClassIr["inbound"],
    capturedInbound: ClassIr["capturedInbound"],
    gatewayPorts: ClassIr["gatewayPorts"],
    outbound: ClassIr["outbound"],
    accessLog: ClassIr["accessLog"],
    trustDomains: string,
    requestForm: RequestForm,
    detectionTimeoutMs: number,
    forwards: boolean,
    own: MeshProxy,
  ): ReadonlyMap<string, Listener> => {
    const settings = { accessLog, requestForm, detectionTimeoutMs, forwards };
    const wayOut = placeOutbound(outbound, own);
    const inboundSettings = { trustDomains, requestForm, detectionTimeoutMs, accessLog };
    return byName([
      ...(outbound ? connectListeners({ outbound, settings }) : []),
      ...(wayOut ? [buildOutboundListener(wayOut, settings)] : []),
      ...(capturedInbound
        ? [
            ...openedPorts(inbound, own).map((port) => buildInboundListener(port, inboundSettings)),
            virtualInbound({
              ports: inbound,
              ...capturedInbound,
              wildcards: wildcardsOf(own),
              settings: inboundSettings,
            }),
          ]
        : placeInbound(inbound, own).map((port) => buildInboundListener(port, inboundSettings))),
      ...placeGatewayPorts(gatewayPorts, own).map((port) => buildGatewayListener(port, { ...settings, trustDomains })),
    ]);
  },
);

/** The same for all of a class. */
const virtualInbound = interned(
  withNumberedFilters,
  ({ settings, ...inbound }: VirtualInbound & { readonly settings: InboundSettings }) =>
    buildVirtualInbound(inbound, settings),
);

/** They have no address: classes with equal filters share them. */
const connectListeners = interned(
  withNumberedFilters,
  ({ outbound, settings }: { readonly outbound: OutboundProxy; readonly settings: OutboundSettings }) => [
    buildConnectListener(outbound, settings),
    buildSniffedConnectListener(outbound, settings),
  ],
);
