// What translation hands over: the Envoy messages of one proxy, by resource name.
import type {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  RouteConfiguration,
  TypedExtensionConfig,
  VirtualHost,
} from "../../../protos/build/envoy.ts";

/**
 * One proxy's Envoy messages. Keys are resource names; those of virtual hosts are
 * `<route configuration>/<virtual host>`, and become the hosts' names on the wire. Order is kept.
 */
export interface EmittedResources {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignment>;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly virtualHosts: ReadonlyMap<string, VirtualHost>;
  readonly extensionConfigs: ReadonlyMap<string, TypedExtensionConfig>;
}

/** The same while it is put together. */
export type EnvoyResources = {
  [Kind in keyof EmittedResources]: EmittedResources[Kind] extends ReadonlyMap<string, infer Message>
    ? Map<string, Message>
    : never;
};

/** EnvoyResources with nothing in them. */
export function emptyResources(): EnvoyResources {
  return {
    clusters: new Map(),
    endpoints: new Map(),
    listeners: new Map(),
    routes: new Map(),
    virtualHosts: new Map(),
    extensionConfigs: new Map(),
  };
}

/**
 * Returns messages as a map by their names, sorted, so that nothing depends on the order in which things were found.
 */
export function byName<M extends { readonly name?: string | undefined }>(
  messages: readonly M[],
): ReadonlyMap<string, M> {
  return sorted(messages.map((message) => [message.name ?? "", message]));
}

/** Returns the entries as a map, sorted by key; of two with one key the later. */
export function sorted<V>(entries: Iterable<readonly [string, V]>): ReadonlyMap<string, V> {
  const byKey = new Map(entries);
  return new Map([...byKey.keys()].sort().map((key) => [key, byKey.get(key)!]));
}
