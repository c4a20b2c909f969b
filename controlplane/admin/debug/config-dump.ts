// What a proxy was told, in the form of Envoy's own config dump, so that the two can be compared.
import protobuf from "protobufjs/light.js";
import type { AnyMessage, ConfigDump } from "../../../protos/build/envoy.ts";
import { decode, packAny, typeUrlOf, unpackAny } from "../../../protos/codec.ts";
import { routeConfigurationOf } from "../../snapshot/consistency.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { kindOf, resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import type { DebugConnection } from "./connection.ts";

/** The tag of RouteConfiguration.virtual_hosts, a message each. */
const ROUTE_VIRTUAL_HOSTS = (2 << 3) | 2;

interface Named {
  readonly name: string;
  readonly version: string;
  readonly resource: AnyMessage;
}

/**
 * Returns the ConfigDump of a proxy, its sections in Istio's order: dynamic clusters, endpoints if asked for,
 * listeners, routes with their virtual hosts, filters. Secrets and modules' bytes are left out.
 */
export function configDump(connection: DebugConnection, includeEndpoints = false): ConfigDump {
  const of = (kind: ResourceKind): readonly Named[] => resourcesOf(connection, kind);
  const clusters = packAny("ClustersConfigDump", {
    dynamicActiveClusters: of("clusters").map(({ version, resource }) => ({ versionInfo: version, cluster: resource })),
  });
  const endpoints = includeEndpoints
    ? [
        packAny("EndpointsConfigDump", {
          dynamicEndpointConfigs: of("endpoints").map(({ version, resource }) => ({
            versionInfo: version,
            endpointConfig: resource,
          })),
        }),
      ]
    : [];
  const listeners = packAny("ListenersConfigDump", {
    dynamicListeners: of("listeners").map(({ name, version, resource }) => ({
      name,
      activeState: { versionInfo: version, listener: resource },
    })),
  });
  const routes = packAny("RoutesConfigDump", {
    dynamicRouteConfigs: of("routes").map(({ version, resource }) => ({ versionInfo: version, routeConfig: resource })),
  });
  const filters = packAny("EcdsConfigDump", {
    ecdsFilters: of("extensionConfigs").map(({ version, resource }) => ({
      versionInfo: version,
      ecdsFilter: resource,
    })),
  });
  return {
    configs: [
      packAny("BootstrapConfigDump", {}),
      clusters,
      ...endpoints,
      listeners,
      packAny("ScopedRoutesConfigDump", {}),
      routes,
      packAny("SecretsConfigDump", {}),
      filters,
    ],
  };
}

/**
 * Returns the resources of these types and nothing around them, as Istio's `?types=` does: short names or type URLs
 * with commas between; unknown ones add nothing.
 */
export function typedDump(connection: DebugConnection, types: string): ConfigDump {
  const asked = new Set(
    types
      .split(",")
      .map((type) => kindOf(type) ?? resourceKinds.find((kind) => resourceTypes[kind].short === type.toLowerCase())),
  );
  return {
    configs: [...asked].flatMap((kind) =>
      kind === undefined ? [] : resourcesOf(connection, kind).map(({ resource }) => resource),
    ),
  };
}

function resourcesOf(connection: DebugConnection, kind: ResourceKind): readonly Named[] {
  const held = connection.held(kind).map(unwrap);
  if (kind === "extensionConfigs")
    return held.map(({ resource, ...named }) => ({ ...named, resource: filterOf(resource) }));
  return kind === "routes" ? withVirtualHosts(held, connection.held("virtualHosts")) : held;
}

/** A proxy that got its virtual hosts one by one shows them inside its routes, under the names they came by. */
function withVirtualHosts(routes: readonly Named[], virtualHosts: readonly EncodedResource[]): readonly Named[] {
  if (virtualHosts.length === 0) return routes;
  const hostsOf = new Map(routes.map(({ name }) => [name, protobuf.Writer.create()]));
  for (const host of virtualHosts)
    hostsOf.get(routeConfigurationOf(host.name))?.uint32(ROUTE_VIRTUAL_HOSTS).bytes(unwrap(host).resource.value);
  return routes.map(({ resource, ...route }) => ({
    ...route,
    resource: { ...resource, value: insertHosts(resource.value, hostsOf.get(route.name)!.finish()) },
  }));
}

/** In their place: what is encoded anew, as for JSON, has its fields in order. */
function insertHosts(route: Uint8Array, hosts: Uint8Array): Uint8Array {
  const reader = protobuf.Reader.create(route);
  let place = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag > ROUTE_VIRTUAL_HOSTS) break;
    reader.skipType(tag & 7);
    place = reader.pos;
  }
  return Buffer.concat([route.subarray(0, place), hosts, route.subarray(place)]);
}

/** Istio shows a Wasm filter as itself, any other in its wrapping. */
function filterOf(packed: AnyMessage): AnyMessage {
  const { typedConfig } = decode("TypedExtensionConfig", packed.value);
  return withoutCode(typedConfig?.typeUrl === typeUrlOf("Wasm") ? typedConfig : packed);
}

/** The message with the length of each module where its bytes were: hundreds of kilobytes help no reader. */
function withoutCode(packed: AnyMessage): AnyMessage {
  const unpacked = unpackAny(packed);
  return unpacked.name === undefined ? packed : packAny(unpacked.name, cleaned(unpacked.message) as never);
}

function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (isAny(value)) return withoutCode({ typeUrl: value.typeUrl, value: Uint8Array.from(value.value ?? []) });
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "inlineBytes" && inner instanceof Uint8Array ? Buffer.from(`[${inner.length} bytes]`) : cleaned(inner),
    ]),
  );
}

/** An Any has bytes, or none at all where its message is empty; a TypedStruct has an object there. */
function isAny(value: {
  readonly typeUrl?: unknown;
  readonly value?: unknown;
}): value is { readonly typeUrl: string; readonly value?: Uint8Array | readonly never[] } {
  return (
    typeof value.typeUrl === "string" &&
    (value.value === undefined || value.value instanceof Uint8Array || Array.isArray(value.value))
  );
}

function unwrap({ name, version, bytes }: EncodedResource): Named {
  const { resource } = decode("Resource", bytes);
  if (resource === undefined) throw new RangeError(`the resource ${name} is empty`);
  return { name, version, resource };
}
