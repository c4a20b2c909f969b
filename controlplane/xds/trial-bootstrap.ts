// A bootstrap that holds some resources of one kind, so that an Envoy that serves nobody can say whether it would load them.
import type { Bootstrap, Cluster, HttpFilter, Listener, RouteConfiguration, VirtualHost } from "../../protos/build/envoy.ts";
import { decode, encode, packAny } from "../../protos/codec.ts";
import type { EncodedResource } from "../snapshot/encode.ts";
import { messageOf } from "./wire.ts";

/** The bytes of a Bootstrap with these resources, all of one kind; undefined for kinds that are not tried like this: secrets are nobody else's, and Envoy names listeners and clusters itself. */
export function buildTrialBootstrap(resources: readonly EncodedResource[]): Uint8Array | undefined {
  switch (resources[0]?.kind) {
    case "endpoints": return withResources({ clusters: resources.map(clusterOf) });
    case "virtualHosts": return withResources({ listeners: [routedBy("virtual hosts", { name: "tried", virtualHosts: resources.map((resource) => decode("VirtualHost", messageOf(resource)) as VirtualHost) })] });
    case "routes": return withResources({ listeners: resources.map((resource) => routedBy(resource.name, decode("RouteConfiguration", messageOf(resource)))) });
    case "extensionConfigs": return withResources({ listeners: resources.map((resource) => filteredBy(resource)) });
    default: return undefined;
  }
}

function withResources(staticResources: Bootstrap["staticResources"]): Uint8Array {
  return encode("Bootstrap", { node: { id: "trial", cluster: "trial" }, staticResources });
}

function clusterOf(resource: EncodedResource): Cluster {
  return { name: resource.name, type: "STATIC", loadAssignment: decode("ClusterLoadAssignment", messageOf(resource)) };
}

/** Where routes lead is the snapshot's concern, which was checked before it was published. */
function routedBy(name: string, { vhds: _, ...routeConfig }: RouteConfiguration, filters: readonly HttpFilter[] = []): Listener {
  const manager = packAny("HttpConnectionManager", {
    statPrefix: "trial",
    routeConfig: { ...routeConfig, validateClusters: false },
    httpFilters: [...filters, { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) }],
  });
  return {
    name, address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typedConfig: manager }] }],
  };
}

function filteredBy(resource: EncodedResource): Listener {
  const { typedConfig } = decode("TypedExtensionConfig", messageOf(resource));
  const filter: HttpFilter = { name: resource.name, ...(typedConfig && { typedConfig }) };
  return routedBy(resource.name, { name: "tried" }, [filter]);
}
