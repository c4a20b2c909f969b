// The ports of a class where one of its proxies has them.
import type { NamespacedAddress, SocketAddress } from "../../model/socket-address.ts";
import type { GatewayPort } from "./gateway.ts";
import type { InboundPort, OutboundProxy } from "./proxy.ts";
import type { MeshProxy } from "./proxy-class.ts";

export interface PlacedInboundPort extends InboundPort {
  readonly bind: SocketAddress;
  /** Where the application itself listens. */
  readonly application: SocketAddress;
}

export interface PlacedGatewayPort extends GatewayPort {
  readonly bind: SocketAddress;
  /** Where it is reached from outside of the proxy's own network, too. */
  readonly published?: NamespacedAddress;
}

export interface PlacedOutboundProxy extends OutboundProxy {
  readonly bind: SocketAddress;
}

/** Returns the ports at which the proxy's application is reached, in the order in which it listens. */
export function placeInbound(inbound: readonly InboundPort[], { listens }: MeshProxy): readonly PlacedInboundPort[] {
  return listens.flatMap(({ port: number, bind, application }) => {
    const port = inbound.find((candidate) => candidate.port === number);
    return port === undefined || application === undefined ? [] : [{ ...port, bind, application }];
  });
}

/** Returns the ports that a captured sidecar opens itself, with where it does. */
export function openedPorts(
  inbound: readonly InboundPort[],
  { address: own }: MeshProxy,
): readonly Omit<PlacedInboundPort, "application">[] {
  return inbound.flatMap((port) =>
    port.openedAt === undefined ? [] : [{ ...port, bind: { address: port.openedAt || own, port: port.port } }],
  );
}

/** Returns the ports that a gateway proxy opens. */
export function placeGatewayPorts(
  gatewayPorts: readonly GatewayPort[],
  { listens }: MeshProxy,
): readonly PlacedGatewayPort[] {
  return gatewayPorts.flatMap((port) => {
    const listen = listens.find((candidate) => candidate.port === port.port);
    if (listen === undefined) return [];
    const { bind, published } = listen;
    return [{ ...port, bind, ...(published && { published }) }];
  });
}

/** Returns the proxy's way out; undefined where it has none. */
export function placeOutbound(
  outbound: OutboundProxy | undefined,
  { outbound: bind }: MeshProxy,
): PlacedOutboundProxy | undefined {
  return outbound === undefined || bind === undefined ? undefined : { ...outbound, bind };
}
