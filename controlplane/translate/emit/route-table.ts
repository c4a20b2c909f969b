// A route table in Envoy's words: what stands in the route configuration, and what is delivered apart from it.
import type { RouteConfiguration, VirtualHost as EnvoyVirtualHost } from "../../../protos/build/envoy.ts";
import { MAX_DIRECT_RESPONSE_BYTES } from "../../model/envoy-limits.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { RouteTable } from "../ir/routes.ts";
import type { UpstreamId } from "../ir/upstream.ts";
import { adsSource } from "./config-source.ts";
import { buildFallbackHost, buildInnerHost, buildVirtualHost } from "./virtual-host.ts";

/** What peers of the mesh tell each other about themselves stays in the mesh. */
const PEER_HEADERS = ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"];

/**
 * Returns the route configuration. Virtual hosts come one by one (VHDS), so that a change of one is one resource; only
 * the host for unknown names stands inside, and the one of a table that has no others. `unknownHosts` says what that
 * one does; undefined leaves it out: 404.
 */
export function buildRouteConfiguration(
  table: RouteTable,
  unknownHosts: UnknownHosts | undefined,
  egressProxy?: UpstreamId,
): RouteConfiguration {
  const fallback = unknownHosts && { virtualHosts: [buildFallbackHost(unknownHosts, egressProxy)] };
  return {
    name: table.name,
    ...(table.isOneService ? { virtualHosts: table.virtualHosts.map((host) => buildInnerHost(host)) } : fallback),
    // A table that waits for hosts that never come would hold its listener up.
    ...(!table.isOneService && table.virtualHosts.length > 0 && { vhds: { configSource: adsSource() } }),
    validateClusters: false,
    // Of every table: a host with a larger body may come before a table that is told of it.
    maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES,
    responseHeadersToRemove: PEER_HEADERS,
    ...(table.ignorePort && { ignorePortInHostMatching: true }),
  };
}

/** Returns the virtual hosts that are delivered apart, by resource name, in the table's order. */
export function buildVirtualHosts(table: RouteTable): ReadonlyMap<string, EnvoyVirtualHost> {
  if (table.isOneService) return new Map();
  return new Map(
    table.virtualHosts.map((host) => buildVirtualHost(table.name, host)).map((host) => [host.name ?? "", host]),
  );
}
