// A VirtualService's routes of TLS connections that are passed on as they are, by the name they ask for.
import type { DestinationResolver } from "./destination.ts";
import { appliesToConnections, type ConnectionRoute, connectionTargets, subnetsOf } from "./connection-route.ts";
import type { RouteContext } from "./request-match.ts";
import type { VirtualServiceObject } from "./virtual-service.ts";

/**
 * Returns the `tls` routes for this client (or gateway) and port, one for each match: of two with the same names and
 * addresses only the first can be reached. Names are in lower case.
 */
export function resolveTlsRoutes(
  { metadata, spec }: VirtualServiceObject,
  context: RouteContext,
  destinations: DestinationResolver,
): readonly ConnectionRoute[] {
  const found = new Map<string, ConnectionRoute>();
  for (const { match, route } of spec.tls ?? []) {
    for (const one of match) {
      if (!appliesToConnections(one, context, metadata.namespace)) continue;
      const serverNames = [...new Set(one.sniHosts.map((name) => name.toLowerCase()))];
      const subnets = subnetsOf(one, context);
      const conditions = `${serverNames.join(",")} ${subnets.join(",")}`;
      if (found.has(conditions)) continue;
      const targets = connectionTargets(route, metadata.namespace, context.port, destinations);
      found.set(conditions, { subnets, serverNames, targets });
    }
  }
  return [...found.values()];
}
