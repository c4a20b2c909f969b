// Which connections of a captured client are meant for a service: by address where it has one, else by name or port.
import { isWildcardHost } from "../../model/hosts.ts";
import type { CapturedPort, CapturedWay } from "../ir/captured.ts";
import type { Upstream } from "../ir/upstream.ts";
import type { DestinationResolver } from "./destination.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";

/** Returns the name of the table for requests to a port, wherever they go: `9080`. */
export function tableOfPort(port: number): string {
  return String(port);
}

/** Returns the name of the table of one service's port: `reviews.default.svc.cluster.local:9000`. */
export function tableOfService(host: string, port: number): string {
  return `${host}:${port}`;
}

/** Returns whether requests to the port are told apart by their host alone, whatever address they go to. */
export function isFoundByHost(service: MeshService, port: MeshPort): boolean {
  if (port.protocol === "auto") return ownAddresses(service, port.number).length === 0;
  return port.protocol === "http" || port.protocol === "http2" || port.protocol === "grpc";
}

/** Returns what becomes of connections to a port of a service. */
export function capturedPorts(
  service: MeshService,
  port: MeshPort,
  destinations: DestinationResolver,
): readonly CapturedPort[] {
  const { number } = port;
  if (port.protocol !== "auto" && isFoundByHost(service, port))
    return [{ port: number, routeTable: tableOfPort(number), ways: [] }];
  const way = wayTo(destinations.ofPort(service, number));
  const byAddress = ownAddresses(service, number).map((address): CapturedPort => {
    const routeTable = port.protocol === "auto" ? { routeTable: tableOfService(service.host, number) } : {};
    return { address, port: number, ...routeTable, ways: [way] };
  });
  const others = waysToOthers(service, port, way);
  const routeTable = isFoundByHost(service, port) ? { routeTable: tableOfPort(number) } : {};
  return others.length === 0 && routeTable.routeTable === undefined
    ? byAddress
    : [...byAddress, { port: number, ...routeTable, ways: others }];
}

/** Its own, or of what stands behind it: there the client chooses. */
function ownAddresses(service: MeshService, port: number): readonly string[] {
  if (!service.isHeadless) return service.addresses;
  return [...new Set((service.backends.get(port) ?? []).map(({ endpoint }) => endpoint.address))];
}

/** How connections find a service that have none of its addresses. */
function waysToOthers(service: MeshService, port: MeshPort, way: CapturedWay): readonly CapturedWay[] {
  if (service.isHeadless) return [];
  const isTls = port.protocol === "tls" || port.protocol === "https";
  const serverNames = isTls && service.host !== "*" ? [service.host] : [];
  if (service.subnets.length > 0) return [{ ...way, subnets: service.subnets, serverNames }];
  if (service.addresses.length > 0) return [];
  return serverNames.length > 0 || !isWildcardHost(service.host) || service.host === "*"
    ? [{ ...way, serverNames }]
    : [];
}

/** Returns the way of all connections to an upstream. */
export function wayTo(upstream: Upstream): CapturedWay {
  const isHttpTarget = upstream.protocol !== "tcp" && (upstream.tls.mode === "auto" || upstream.tls.mode === "mesh");
  return { subnets: [], serverNames: [], targets: [{ upstream: upstream.id, weight: 1 }], isHttpTarget };
}
