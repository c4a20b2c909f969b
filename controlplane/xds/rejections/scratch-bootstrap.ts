// A bootstrap that holds some resources, byte by byte, so that an Envoy that serves nobody can say whether
// it would load them.
import type { Address, Cluster, HttpFilter } from "../../../protos/build/envoy.ts";
import { decode, encode, packAny } from "../../../protos/codec.ts";
import { MAX_DIRECT_RESPONSE_BYTES, MAX_REGEX_PROGRAM_SIZE, REGEX_PROGRAM_SIZE_KEY } from "../../model/envoy-limits.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import { field, fieldsOf } from "../raw-fields.ts";
import { messageOf } from "../grpc/wire.ts";

// Numbers of fields: of Bootstrap, its StaticResources, Cluster and Listener, HttpConnectionManager, RouteConfiguration.
const STATIC_RESOURCES = 2,
  LISTENERS = 1,
  CLUSTERS = 2,
  NAME = 1,
  ADDRESS = 2,
  MORE_ADDRESSES = 33,
  LOAD_ASSIGNMENT = 33,
  ROUTE_CONFIG = 4,
  VIRTUAL_HOSTS = 2,
  VALIDATE_CLUSTERS = 7,
  VHDS = 9;
const NO = new Uint8Array();
const ANY_PORT: Address = { socketAddress: { address: "127.0.0.1", portValue: 0 } };
/** What every proxy's bootstrap says, too. */
const RUNTIME = { [REGEX_PROGRAM_SIZE_KEY]: MAX_REGEX_PROGRAM_SIZE };

/**
 * The bytes of a Bootstrap with these resources, of any kinds and of any proxies; undefined where one is a secret, which
 * is nobody else's.
 */
export function buildScratchBootstrap(resources: readonly EncodedResource[]): Uint8Array | undefined {
  if (resources.length === 0 || resources.some(({ kind }) => kind === "secrets")) return undefined;
  const addresses = new Set<string>();
  const clusters: Uint8Array[] = [],
    listeners: Uint8Array[] = [];
  for (const [index, resource] of resources.entries()) {
    const name = `${index} ${resource.name}`;
    if (resource.kind === "clusters") clusters.push(waiting(resource, named(name, messageOf(resource))));
    else if (resource.kind === "endpoints") clusters.push(clusterOf(name, messageOf(resource)));
    else if (resource.kind === "listeners") listeners.push(addressed(addresses, named(name, messageOf(resource))));
    else listeners.push(listenerOf(name, resource));
  }
  return withResources(resources, clusters, listeners);
}

/** Several proxies have one of the same name. Appended, it is what counts. */
function named(name: string, message: Uint8Array): Uint8Array {
  return Buffer.concat([message, field(NAME, Buffer.from(name))]);
}

/**
 * In this mode Envoy 1.40 crashes over a cluster that needs certificates of SDS and is ready before there is anybody to
 * ask for them: one that is found by DNS, say, or whose connections go to their original destination. One that waits for
 * its hosts says as much of all the rest.
 */
function waiting({ references }: EncodedResource, cluster: Uint8Array): Uint8Array {
  const needsSecrets = references.some(({ kind }) => kind === "secrets");
  return needsSecrets && decode("Cluster", cluster).type !== "EDS" ? Buffer.concat([cluster, WAITING]) : cluster;
}

/** Appended, it is what counts; and the load balancing policy, field 6, is none of the original destination's. */
const WAITING = Buffer.concat([
  encode("Cluster", { type: "EDS", edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } } }),
  Uint8Array.of(0x30, 0),
]);

/** And several may listen at one address, as they are in places of their own: there is one of each only here. */
function addressed(taken: Set<string>, listener: Uint8Array): Uint8Array {
  const fields = fieldsOf(listener);
  const own = fields.filter(({ tag }) => tag >>> 3 === ADDRESS).map(({ raw }) => Buffer.from(raw).toString("base64"));
  const isTaken = own.some((address) => taken.has(address));
  for (const address of own) taken.add(address);
  if (!isTaken) return listener;
  const others = fields.filter(({ tag }) => ![ADDRESS, MORE_ADDRESSES].includes(tag >>> 3)).map(({ raw }) => raw);
  return Buffer.concat([...others, encode("Listener", { address: ANY_PORT })]);
}

function clusterOf(name: string, endpoints: Uint8Array): Uint8Array {
  return Buffer.concat([encode("Cluster", { name, type: "STATIC" }), field(LOAD_ASSIGNMENT, endpoints)]);
}

function listenerOf(name: string, resource: EncodedResource): Uint8Array {
  if (resource.kind === "extensionConfigs") return filteredBy(name, resource);
  if (resource.kind === "routes") return routedBy(name, [ownRoutesOf(resource)]);
  const limits = encode("RouteConfiguration", { maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES });
  return routedBy(name, [limits, field(VIRTUAL_HOSTS, messageOf(resource))]);
}

/**
 * What every proxy has beside the resources: a stream for what they name, from which nothing comes here, and listeners
 * inside the process.
 */
const DISCOVERY = "no control plane";

function withResources(
  resources: readonly EncodedResource[],
  clusters: readonly Uint8Array[],
  listeners: readonly Uint8Array[],
): Uint8Array {
  const contents = [
    ...clusters.map((cluster) => field(CLUSTERS, cluster)),
    ...listeners.map((listener) => field(LISTENERS, listener)),
  ];
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
  return Buffer.concat([base, field(STATIC_RESOURCES, Buffer.concat(contents))]);
}

/**
 * A cluster that is named is looked for at once. Whether it is there is the snapshot's concern, and was checked before
 * it was published.
 */
function placeholdersFor(resources: readonly EncodedResource[]): Cluster[] {
  const referred = resources.flatMap(({ references }) =>
    references.filter(({ kind }) => kind === "clusters").map(({ name }) => name),
  );
  return [...new Set(referred)].map(placeholder);
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
    address: ANY_PORT,
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

function filteredBy(name: string, resource: EncodedResource): Uint8Array {
  const { typedConfig } = decode("TypedExtensionConfig", messageOf(resource));
  // What is empty is decoded as a list.
  return routedBy(
    name,
    [],
    [
      {
        name: resource.name,
        ...(typedConfig && { typedConfig: { ...typedConfig, value: Uint8Array.from(typedConfig.value) } }),
      },
    ],
  );
}
