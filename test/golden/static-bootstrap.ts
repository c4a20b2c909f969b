// What a proxy would be told over xDS, as one bootstrap that holds it all: for `envoy --mode validate` and for tests
// without a control plane.
import type { EmittedResources } from "../../controlplane/translate/emit/resources.ts";
import { toProto3Json } from "../../protos/codec.ts";
import { CERTIFICATE, KEY } from "./tls-material.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

const HTTP_CONNECTION_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** How much of what needs a control plane stays. */
export interface StaticOptions {
  /**
   * `name`: places of delivered filters stay, unfilled (good to validate). `drop`: they go, so that the proxy serves
   * without them.
   */
  readonly deliveredFilters: "keep" | "drop";
}

/** Returns a bootstrap in proto3 JSON: route tables, virtual hosts and endpoints stand where they are used. */
export function buildStaticBootstrap(resources: EmittedResources, options: StaticOptions): JsonObject {
  const clusters = [...resources.clusters].map(([name, cluster]) =>
    staticCluster(object(inlined(toProto3Json("Cluster", cluster) as Json, resources, options)), resources, name),
  );
  const listeners = [...resources.listeners].map(([, listener]) =>
    inlined(toProto3Json("Listener", listener) as Json, resources, options),
  );
  return {
    node: { id: "sidecar~10.244.0.1~golden.default~default.svc.cluster.local", cluster: "golden" },
    bootstrapExtensions: [
      {
        name: "envoy.bootstrap.internal_listener",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        },
      },
    ],
    dynamicResources: {
      adsConfig: {
        apiType: "DELTA_GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "xds-grpc" } }],
      },
    },
    staticResources: { clusters: [...clusters, controlPlaneCluster], listeners },
  };
}

const controlPlaneCluster: JsonObject = {
  name: "xds-grpc",
  type: "STATIC",
  loadAssignment: { clusterName: "xds-grpc", endpoints: [] },
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicitHttpConfig: { http2ProtocolOptions: {} },
    },
  },
};

function staticCluster(cluster: JsonObject, resources: EmittedResources, name: string): JsonObject {
  const { edsClusterConfig, ...rest } = cluster;
  const assignment = resources.endpoints.get(name);
  if (edsClusterConfig === undefined || assignment === undefined) return cluster;
  return { ...rest, type: "STATIC", loadAssignment: toProto3Json("ClusterLoadAssignment", assignment) as Json };
}

function inlined(json: Json, resources: EmittedResources, options: StaticOptions): Json {
  if (Array.isArray(json))
    return json
      .filter((item: Json) => options.deliveredFilters === "keep" || !isDelivered(item))
      .map((item: Json) => inlined(item, resources, options));
  if (typeof json !== "object" || json === null) return json;
  const fields = Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, inlined(value, resources, options)]),
  );
  if (fields["tlsCertificateSdsSecretConfigs"] !== undefined) return withInlineSecrets(fields);
  return fields["@type"] === HTTP_CONNECTION_MANAGER ? withInlineRoutes(fields, resources) : fields;
}

/** A filter of requests or of connections whose configuration comes apart. */
function isDelivered(item: Json): boolean {
  return typeof item === "object" && item !== null && "configDiscovery" in item;
}

/**
 * Envoy does not validate what it would have to fetch (it crashes on secrets over ADS): something of the kind stands
 * there instead.
 */
function withInlineSecrets(context: JsonObject): JsonObject {
  const { tlsCertificateSdsSecretConfigs: _, combinedValidationContext, ...rest } = context;
  const validation =
    combinedValidationContext === undefined ? undefined : object(combinedValidationContext)["defaultValidationContext"];
  return {
    ...rest,
    tlsCertificates: [{ certificateChain: { inlineString: CERTIFICATE }, privateKey: { inlineString: KEY } }],
    ...(validation !== undefined && {
      validationContext: { ...object(validation), trustedCa: { inlineString: CERTIFICATE } },
    }),
  };
}

function withInlineRoutes(manager: JsonObject, resources: EmittedResources): JsonObject {
  const httpFilters = (manager["httpFilters"] ?? []) as readonly JsonObject[];
  const { rds, ...rest } = manager;
  if (rds === undefined) return { ...manager, httpFilters };
  return { ...rest, httpFilters, routeConfig: routeConfiguration(String(object(rds)["routeConfigName"]), resources) };
}

function routeConfiguration(name: string, resources: EmittedResources): JsonObject {
  const table = resources.routes.get(name);
  if (table === undefined) throw new Error(`no route configuration ${name}`);
  const { vhds: _, ...rest } = object(toProto3Json("RouteConfiguration", table) as Json);
  const delivered = [...resources.virtualHosts]
    .filter(([key]) => key.startsWith(`${name}/`))
    .map(([, host]) => toProto3Json("VirtualHost", host) as Json);
  return { ...rest, virtualHosts: [...delivered, ...((rest["virtualHosts"] ?? []) as readonly Json[])] };
}

function object(json: Json): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new TypeError("an object was expected");
  return json as JsonObject;
}
