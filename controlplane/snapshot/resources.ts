// What translators hand over: the Envoy messages of one class of proxies, by resource name.
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret, TypedExtensionConfig, VirtualHost } from "../../protos/build/envoy.ts";

/** One class's Envoy messages. Keys are resource names; those of virtual hosts are `<route configuration>/<virtual host>`, and become the hosts' names on the wire. Order is kept. */
export interface EnvoyResources {
  clusters: Map<string, Cluster>;
  endpoints: Map<string, ClusterLoadAssignment>;
  listeners: Map<string, Listener>;
  routes: Map<string, RouteConfiguration>;
  virtualHosts: Map<string, VirtualHost>;
  extensionConfigs: Map<string, TypedExtensionConfig>;
}

/** The message type of each kind of resource; secrets belong to an identity, not to a class. */
export interface ResourceMessages {
  clusters: Cluster;
  endpoints: ClusterLoadAssignment;
  listeners: Listener;
  routes: RouteConfiguration;
  virtualHosts: VirtualHost;
  extensionConfigs: TypedExtensionConfig;
  secrets: Secret;
}

export type ResourceKind = keyof ResourceMessages;

/** EnvoyResources with nothing in them. */
export function emptyResources(): EnvoyResources {
  return { clusters: new Map(), endpoints: new Map(), listeners: new Map(), routes: new Map(), virtualHosts: new Map(), extensionConfigs: new Map() };
}
