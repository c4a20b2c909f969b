// Which connections of a captured client are meant for a service: by address where it has one, else by name or port.
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

/** A service with the addresses that the client is told. */
export interface AddressedService extends MeshService {
  readonly told: readonly string[];
}

/** Returns whether requests to the port are told apart by their host alone, whatever address they go to. */
export function isFoundByHost(service: AddressedService, port: MeshPort): boolean {
  if (port.protocol === "auto") return placesOf(service, port.number).length === 0;
  return port.protocol === "http" || port.protocol === "http2" || port.protocol === "grpc";
}

/** Returns what becomes of connections to a port of a service. */
export function capturedPorts(
  service: AddressedService,
  port: MeshPort,
  destinations: DestinationResolver,
): readonly CapturedPort[] {
  const { number } = port;
  const byHost = isFoundByHost(service, port) ? { routeTable: tableOfPort(number) } : {};
  if (port.protocol !== "auto" && byHost.routeTable !== undefined)
    return [{ addresses: [], port: number, ...byHost, ways: [] }];
  const way = wayTo(destinations.ofPort(service, number));
  const sniffed = port.protocol === "auto" ? { routeTable: tableOfService(service.host, number) } : {};
  const elsewhere = waysElsewhere(service, port, way);
  return [
    ...placesOf(service, number).map((addresses) => ({ addresses, port: number, ...sniffed, ways: [way] })),
    ...(elsewhere.length === 0 ? [] : [{ addresses: [], port: number, ...byHost, ways: elsewhere }]),
  ];
}

/**
 * Its addresses as one place, since they come and go together; what stands behind a headless service, among which the
 * client chooses, one by one.
 */
function placesOf(service: AddressedService, port: number): readonly (readonly string[])[] {
  if (!service.isHeadless) return service.told.length === 0 ? [] : [service.told];
  const behind = (service.backends.get(port) ?? []).map(({ endpoint }) => endpoint.address);
  return [...new Set(behind)].map((address) => [address]);
}

/** How connections find a service that go to none of its addresses. */
function waysElsewhere(service: AddressedService, port: MeshPort, way: CapturedWay): readonly CapturedWay[] {
  if (service.isHeadless) return [];
  const isTls = port.protocol === "tls" || port.protocol === "https";
  const serverNames = isTls && service.host !== "*" ? [service.host] : [];
  if (service.subnets.length > 0) return [{ ...way, subnets: service.subnets, serverNames }];
  // Whoever asked another resolver for a host of TLS is known by the name.
  if (service.addresses.length > 0 || (service.told.length > 0 && !isTls)) return [];
  return [{ ...way, serverNames }];
}

/** Returns the way of all connections to an upstream. */
export function wayTo(upstream: Upstream): CapturedWay {
  const isHttpTarget = upstream.protocol !== "tcp" && (upstream.tls.mode === "auto" || upstream.tls.mode === "mesh");
  return { subnets: [], serverNames: [], targets: [{ upstream: upstream.id, weight: 1 }], isHttpTarget };
}
