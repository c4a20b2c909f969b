// Route configurations with their virtual hosts inside, for clients that do not get virtual hosts one by one.
import { createHash } from "node:crypto";
import protobuf from "protobufjs/light.js";
import { routeConfigurationOf } from "../snapshot/consistency.ts";
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { Reference } from "../snapshot/references.ts";
import { resourceTypes } from "../snapshot/type-urls.ts";
import { fieldsOf } from "./raw-fields.ts";
import { messageOf } from "./grpc/wire.ts";

const tagOf = (field: number): number => (field << 3) | 2;
// Of google.protobuf.Any, RouteConfiguration, VirtualHost, Resource.
const ANY_TYPE_URL = tagOf(1),
  ANY_VALUE = tagOf(2),
  ROUTE_VIRTUAL_HOSTS = tagOf(2),
  ROUTE_VHDS = tagOf(9),
  HOST_NAME = tagOf(1),
  RESOURCE_VERSION = tagOf(1),
  RESOURCE_PAYLOAD = tagOf(2),
  RESOURCE_NAME = tagOf(3);

const made = new WeakMap<EncodedMap, WeakMap<EncodedMap, EncodedMap>>();

/**
 * The routes as one resource each; made once for each pair of maps, and without decoding what was encoded. The routes
 * given come back where no virtual host stands apart.
 */
export function plainRoutes(routes: EncodedMap, virtualHosts: EncodedMap): EncodedMap {
  if (virtualHosts.size === 0) return routes;
  let byHosts = made.get(routes);
  if (byHosts === undefined) made.set(routes, (byHosts = new WeakMap()));
  let plain = byHosts.get(virtualHosts);
  if (plain === undefined) byHosts.set(virtualHosts, (plain = inline(routes, virtualHosts)));
  return plain;
}

function inline(routes: EncodedMap, virtualHosts: EncodedMap): EncodedMap {
  const hostsOf = new Map<string, EncodedResource[]>();
  for (const host of virtualHosts.values()) {
    const route = routeConfigurationOf(host.name);
    const hosts = hostsOf.get(route);
    if (hosts === undefined) hostsOf.set(route, [host]);
    else hosts.push(host);
  }
  return new Map([...routes].map(([name, route]) => [name, inlineOne(route, hostsOf.get(name))]));
}

function inlineOne(route: EncodedResource, hosts: readonly EncodedResource[] | undefined): EncodedResource {
  if (hosts === undefined) return route;
  const hash = createHash("sha256").update(route.version);
  for (const { version } of hosts) hash.update(version);
  const version = hash.digest("base64url").slice(0, 16);
  const own = fieldsOf(messageOf(route))
    .filter(({ tag }) => tag !== ROUTE_VHDS)
    .map(({ raw }) => raw);
  const inside = protobuf.Writer.create();
  for (const host of hosts) inside.uint32(ROUTE_VIRTUAL_HOSTS).bytes(withOwnName(host));
  const message = Buffer.concat([...own, inside.finish()]);
  const packed = protobuf.Writer.create()
    .uint32(ANY_TYPE_URL)
    .string(resourceTypes.routes.typeUrl)
    .uint32(ANY_VALUE)
    .bytes(message)
    .finish();
  const bytes = protobuf.Writer.create()
    .uint32(RESOURCE_VERSION)
    .string(version)
    .uint32(RESOURCE_NAME)
    .string(route.name)
    .uint32(RESOURCE_PAYLOAD)
    .bytes(packed)
    .finish();
  return { ...route, version, bytes, references: mergeReferences([route, ...hosts]) };
}

/**
 * Called `80/reviews:9080` when it travels alone and `reviews:9080` inside: of a field that stands twice the last
 * counts.
 */
function withOwnName(host: EncodedResource): Uint8Array {
  const name = protobuf.Writer.create()
    .uint32(HOST_NAME)
    .string(host.name.slice(routeConfigurationOf(host.name).length + 1))
    .finish();
  return Buffer.concat([messageOf(host), name]);
}

function mergeReferences(resources: readonly EncodedResource[]): readonly Reference[] {
  return [
    ...new Map(
      resources.flatMap(({ references }) =>
        references.map((reference) => [`${reference.kind}/${reference.name}`, reference] as const),
      ),
    ).values(),
  ];
}
