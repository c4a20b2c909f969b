// What translation hands over: the Envoy messages of one class of proxies, by resource name.
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, TypedExtensionConfig, VirtualHost } from "../../../protos/build/envoy.ts";

/** One class's Envoy messages. Keys are resource names; those of virtual hosts are `<route configuration>/<virtual host>`, and become the hosts' names on the wire. Order is kept. */
export interface EnvoyResources {
  clusters: Map<string, Cluster>;
  endpoints: Map<string, ClusterLoadAssignment>;
  listeners: Map<string, Listener>;
  routes: Map<string, RouteConfiguration>;
  virtualHosts: Map<string, VirtualHost>;
  extensionConfigs: Map<string, TypedExtensionConfig>;
}

/** EnvoyResources with nothing in them. */
export function emptyResources(): EnvoyResources {
  return { clusters: new Map(), endpoints: new Map(), listeners: new Map(), routes: new Map(), virtualHosts: new Map(), extensionConfigs: new Map() };
}
