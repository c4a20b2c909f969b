// Names of Envoy resources, all of them, in Istio's forms.
import type { SocketAddress } from "../../model/socket-address.ts";
import { type UpstreamId, upstreamText } from "../ir/upstream.ts";

/** Where requests for hosts that nobody declared go. */
export const PASSTHROUGH_CLUSTER = "PassthroughCluster";
/** Where what comes to ports that no Service declares goes: to the application, as it came. */
export const INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster";
/** The listener to which all connections to a captured pod are led. */
export const VIRTUAL_INBOUND = "virtualInbound";
/** The same where the mesh has them looked up by DNS. */
export const DYNAMIC_DNS_CLUSTER = "AllowAnyDynamicDNSCluster";
/** Where what must not leave goes. */
export const BLACK_HOLE_CLUSTER = "BlackHoleCluster";
/** The listener to which the kernel brings what a captured pod's programs send. */
export const VIRTUAL_OUTBOUND = "virtualOutbound";
/** The listener that answers for the names of hosts. */
export const DNS_LISTENER = "dns";
/**
 * The cluster, and the listener inside the proxy that it leads to, by which tunnels of HTTP come back to the routes.
 */
export const CONNECT_NAME = "outbound_connect";
/** The same for tunnels of which nobody says whether they carry HTTP. */
export const SNIFFED_CONNECT_NAME = "outbound_connect_auto";
/** The virtual hosts for hosts that nobody declared. */
export const ALLOW_ANY_HOST = "allow_any";
export const DYNAMIC_DNS_HOST = "allow_any_dynamic_dns";
export const BLOCK_ALL_HOST = "block_all";

/** Returns a cluster's name: `outbound|80|v1|reviews.default.svc.cluster.local`, `inbound|9080||`. */
export function upstreamName(id: UpstreamId): string {
  return upstreamText(id);
}

/**
 * Returns a listener's name: `127.10.4.7_15001`; a gateway's carries the port of its Gateway, not the one it is opened
 * at: `127.10.4.9_80`.
 */
export function listenerName(bind: SocketAddress, port = bind.port): string {
  return `${bind.address}_${port}`;
}

/**
 * Returns the resource name of a virtual host, also the name inside the message:
 * `80/reviews.default.svc.cluster.local:80`.
 */
export function virtualHostName(table: string, host: string): string {
  return `${table}/${host}`;
}

/**
 * Returns Istio's way to say, in metadata, from which object something came:
 * `/apis/networking.istio.io/v1/namespaces/default/destination-rule/reviews`.
 */
export function configPath(kind: "virtual-service" | "destination-rule", origin: string): string {
  const [namespace = "", name = ""] = origin.split("/");
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/${kind}/${name}`;
}
