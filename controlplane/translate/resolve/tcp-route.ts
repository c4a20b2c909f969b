// A VirtualService's routes of connections of which nothing is read.
import type { DestinationResolver } from "./destination.ts";
import { appliesToConnections, type ConnectionRoute, connectionTargets, subnetsOf } from "./connection-route.ts";
import type { RouteContext } from "./request-match.ts";
import type { VirtualServiceObject } from "./virtual-service.ts";

/**
 * Returns the `tcp` routes for this client (or gateway) and port, in order: those for some addresses of the
 * destination, then, if there is one, the first for all of them; nothing that stands behind it can be reached.
 */
export function resolveTcpRoutes(
  { metadata, spec }: VirtualServiceObject,
  context: RouteContext,
  destinations: DestinationResolver,
): readonly ConnectionRoute[] {
  const found: ConnectionRoute[] = [];
  for (const { match = [{}], route } of spec.tcp ?? []) {
    const matches = (match.length === 0 ? [{}] : match).filter((one) =>
      appliesToConnections(one, context, metadata.namespace),
    );
    if (matches.length === 0) continue;
    const bySubnet = matches.map((one) => subnetsOf(one, context));
    const isForAll = bySubnet.some((subnets) => subnets.length === 0);
    found.push({
      subnets: isForAll ? [] : [...new Set(bySubnet.flat())],
      serverNames: [],
      targets: connectionTargets(route, metadata.namespace, context.port, destinations),
    });
    if (isForAll) break;
  }
  return found;
}
