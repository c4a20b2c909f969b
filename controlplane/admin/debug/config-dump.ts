// What a proxy was told, in the form of Envoy's own config dump, so that the two can be compared.
import type { AnyMessage, ConfigDump, JsonValue } from "../../../protos/build/envoy.ts";
import { decode, packAny, toProto3Json } from "../../../protos/codec.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import type { DebugConnection } from "./connection.ts";

interface Named { readonly name: string; readonly version: string; readonly resource: AnyMessage }

/** Returns the ConfigDump of a proxy: dynamic clusters, listeners and routes (and endpoints if asked for). Secrets are left out; filters are on the ecdsz page. */
export function configDump(connection: DebugConnection, includeEndpoints = false): ConfigDump {
  const of = (kind: ResourceKind): Named[] => connection.held(kind).map(unwrap);
  const clusters = packAny("ClustersConfigDump", { dynamicActiveClusters: of("clusters").map(({ version, resource }) => ({ versionInfo: version, cluster: resource })) });
  const endpoints = packAny("EndpointsConfigDump", { dynamicEndpointConfigs: of("endpoints").map(({ version, resource }) => ({ versionInfo: version, endpointConfig: resource })) });
  const listeners = packAny("ListenersConfigDump", {
    dynamicListeners: of("listeners").map(({ name, version, resource }) => ({ name, activeState: { versionInfo: version, listener: resource } })),
  });
  const routes = packAny("RoutesConfigDump", { dynamicRouteConfigs: of("routes").map(({ version, resource }) => ({ versionInfo: version, routeConfig: resource })) });
  return {
    configs: [packAny("BootstrapConfigDump", {}), clusters, ...(includeEndpoints ? [endpoints] : []), listeners, packAny("ScopedRoutesConfigDump", {}), routes, packAny("SecretsConfigDump", {})],
  };
}

/** Returns the ConfigDump as Envoy's and Istio's pages print it: proto3 JSON. */
export function configDumpJson(connection: DebugConnection, includeEndpoints: boolean): JsonValue {
  return toProto3Json("ConfigDump", configDump(connection, includeEndpoints));
}

/** Returns the proxy's endpoints as Istio's /debug/edsz prints them: a list of ClusterLoadAssignments. */
export function endpointAssignments(connection: DebugConnection): JsonValue {
  return connection.held("endpoints").map((resource) => toProto3Json("ClusterLoadAssignment", unwrap(resource).resource.value));
}

/** Returns the filter configurations the proxy was told by ECDS; module bytes are left out. */
export function extensionConfigs(connection: DebugConnection): JsonValue {
  return connection.held("extensionConfigs").map((resource) => withoutCode(toProto3Json("TypedExtensionConfig", unwrap(resource).resource.value)));
}

/** A module of hundreds of kilobytes in base64 helps no reader. */
export function withoutCode(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutCode);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
    [key, key === "inlineBytes" && typeof inner === "string" ? `[${Math.floor(inner.length * 3 / 4)} bytes]` : withoutCode(inner as JsonValue)]));
}

function unwrap({ name, version, bytes }: EncodedResource): Named {
  const { resource } = decode("Resource", bytes);
  if (resource === undefined) throw new RangeError(`the resource ${name} is empty`);
  return { name, version, resource };
}
