// Type URLs of what a proxy asks for.

/** A type of Envoy's API by its name after `envoy.`. */
export const typeUrl = (name: string): string => `type.googleapis.com/envoy.${name}`;

export const CLUSTERS = typeUrl("config.cluster.v3.Cluster");
export const ENDPOINTS = typeUrl("config.endpoint.v3.ClusterLoadAssignment");
export const LISTENERS = typeUrl("config.listener.v3.Listener");
export const ROUTES = typeUrl("config.route.v3.RouteConfiguration");
export const HOSTS = typeUrl("config.route.v3.VirtualHost");
export const SECRETS = typeUrl("extensions.transport_sockets.tls.v3.Secret");
