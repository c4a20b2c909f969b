// A bootstrap that holds some resources of one kind, byte by byte, so that an Envoy that serves nobody can say whether
// it would load them.
import type { Cluster, HttpFilter } from "../../../protos/build/envoy.ts";
import { decode, encode, packAny } from "../../../protos/codec.ts";
import { MAX_DIRECT_RESPONSE_BYTES, MAX_REGEX_PROGRAM_SIZE, REGEX_PROGRAM_SIZE_KEY } from "../../model/envoy-limits.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import { field, fieldsOf } from "../raw-fields.ts";
import { messageOf } from "../grpc/wire.ts";

// Numbers of fields: of Bootstrap, its StaticResources, Cluster, HttpConnectionManager, RouteConfiguration.
const STATIC_RESOURCES = 2,
  LISTENERS = 1,
  CLUSTERS = 2,
  LOAD_ASSIGNMENT = 33,
  ROUTE_CONFIG = 4,
  VIRTUAL_HOSTS = 2,
  VALIDATE_CLUSTERS = 7,
  VHDS = 9;
const NO = new Uint8Array();
/** What every proxy's bootstrap says, too. */
const RUNTIME = { [REGEX_PROGRAM_SIZE_KEY]: MAX_REGEX_PROGRAM_SIZE };

/** The bytes of a Bootstrap with these resources, all of one kind; undefined for secrets, which are nobody else's. */
export function buildScratchBootstrap(resources: readonly EncodedResource[]): Uint8Array | undefined {
  const clusters = (contents: readonly Uint8Array[]) => withResources(resources, CLUSTERS, contents);
  const listeners = (contents: readonly Uint8Array[]) => withResources(resources, LISTENERS, contents);
  switch (resources[0]?.kind) {
    case "clusters":
      return clusters(resources.map(messageOf));
    case "endpoints":
      return clusters(
        resources.map((resource) =>
          Buffer.concat([
            encode("Cluster", { name: resource.name, type: "STATIC" }),
            field(LOAD_ASSIGNMENT, messageOf(resource)),
          ]),
        ),
      );
    case "listeners":
      return listeners(resources.map(messageOf));
    case "virtualHosts":
      return listeners([
        routedBy("virtual hosts", [
          encode("RouteConfiguration", { maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES }),
          ...resources.map((resource) => field(VIRTUAL_HOSTS, messageOf(resource))),
        ]),
      ]);
    case "routes":
      return listeners(resources.map((resource) => routedBy(resource.name, [ownRoutesOf(resource)])));
    case "extensionConfigs":
      return listeners(resources.map(filteredBy));
    default:
      return undefined;
  }
}

/**
 * What every proxy has beside the resources: a stream for what they name, from which nothing comes here, and listeners
 * inside the process.
 */
const DISCOVERY = "no control plane";

function withResources(
  resources: readonly EncodedResource[],
  number: number,
  contents: readonly Uint8Array[],
): Uint8Array {
  const base = encode("Bootstrap", {
    node: { id: "scratch", cluster: "scratch" },
    staticResources: { clusters: [placeholder(DISCOVERY), ...placeholdersFor(resources)] },
    dynamicResources: {
      adsConfig: {
        apiType: "DELTA_GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: DISCOVERY } }],
      },
    },
    layeredRuntime: { layers: [{ name: "as proxies have it", staticLayer: RUNTIME }] },
    bootstrapExtensions: [{ name: "envoy.bootstrap.internal_listener", typedConfig: packAny("InternalListener", {}) }],
  });
  return Buffer.concat([
    base,
    field(STATIC_RESOURCES, Buffer.concat(contents.map((content) => field(number, content)))),
  ]);
}

/**
 * A cluster that is named is looked for at once. Whether it is there is the snapshot's concern, and was checked before
 * it was published.
 */
function placeholdersFor(resources: readonly EncodedResource[]): Cluster[] {
  const own = new Set(resources.filter(({ kind }) => kind === "clusters").map(({ name }) => name));
  const named = resources.flatMap(({ references }) =>
    references.filter(({ kind, name }) => kind === "clusters" && !own.has(name)).map(({ name }) => name),
  );
  return [...new Set(named)].map(placeholder);
}

function placeholder(name: string): Cluster {
  const http2 = packAny("HttpProtocolOptions", { explicitHttpConfig: { http2ProtocolOptions: {} } });
  return {
    name,
    type: "STATIC",
    loadAssignment: { clusterName: name },
    typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
  };
}

/**
 * A route configuration without the source of its other virtual hosts, and whatever it says of clusters that are not
 * there.
 */
function ownRoutesOf(resource: EncodedResource): Uint8Array {
  return Buffer.concat(
    fieldsOf(messageOf(resource))
      .filter(({ tag }) => tag >>> 3 !== VHDS && tag >>> 3 !== VALIDATE_CLUSTERS)
      .map(({ raw }) => raw),
  );
}

/** The bytes of a listener with a route configuration of these fields. */
function routedBy(name: string, routes: readonly Uint8Array[], filters: readonly HttpFilter[] = []): Uint8Array {
  const manager = packAny("HttpConnectionManager", {
    statPrefix: "scratch",
    httpFilters: [...filters, { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) }],
  });
  const routeConfig = field(
    ROUTE_CONFIG,
    Buffer.concat([encode("RouteConfiguration", { name: "tried" }), ...routes, field(VALIDATE_CLUSTERS, NO)]),
  );
  return encode("Listener", {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typedConfig: { ...manager, value: Buffer.concat([manager.value, routeConfig]) },
          },
        ],
      },
    ],
  });
}

function filteredBy(resource: EncodedResource): Uint8Array {
  const { typedConfig } = decode("TypedExtensionConfig", messageOf(resource));
  // What is empty is decoded as a list.
  return routedBy(
    resource.name,
    [],
    [
      {
        name: resource.name,
        ...(typedConfig && { typedConfig: { ...typedConfig, value: Uint8Array.from(typedConfig.value) } }),
      },
    ],
  );
}
