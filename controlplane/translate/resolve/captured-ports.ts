// Which connections of a captured client are meant for a service: by address where it has one, else by name or port.
import type { CapturedPort, CapturedWay } from "../ir/captured.ts";
import type { Client } from "./client-hosts.ts";
import { isTls, waysTo } from "./captured-ways.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { isHttp } from "./protocol.ts";

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
export function capturedPorts(client: Client, service: AddressedService, port: MeshPort): readonly CapturedPort[] {
  const { number } = port;
  const looksUp = service.discovery === "byRequest" ? { looksUp: true as const } : {};
  const byHost: Pick<CapturedPort, "routeTable" | "looksUp"> = isFoundByHost(service, port)
    ? { routeTable: tableOfPort(number), ...looksUp }
    : {};
  if (port.protocol !== "auto" && byHost.routeTable !== undefined)
    return [{ addresses: [], port: number, ...byHost, ways: [] }];
  const sniffed = port.protocol === "auto" ? { routeTable: tableOfService(service.host, number) } : {};
  const places = placesOf(service, number);
  const ways = places.length === 0 ? [] : waysTo(client, service, port, []);
  return [
    ...places.map((addresses) => ({ addresses, port: number, ...sniffed, ways })),
    ...(isFoundElsewhere(service, port)
      ? [{ addresses: [], port: number, ...byHost, ways: waysElsewhere(client, service, port) }]
      : []),
  ];
}

/** Returns the same at one address of the proxy's own, as a Sidecar says. */
export function boundPort(
  client: Client,
  service: AddressedService,
  port: MeshPort,
  { bind, isOpened }: { readonly bind: string; readonly isOpened: boolean },
): CapturedPort {
  const table = isFoundByHost(service, port) ? tableOfPort(port.number) : tableOfService(service.host, port.number);
  return {
    addresses: [bind],
    port: port.number,
    ...(isHttp(port.protocol) && { routeTable: table }),
    ways: isHttp(port.protocol) && port.protocol !== "auto" ? [] : waysTo(client, service, port, []),
    ...(isOpened && { isOpened }),
  };
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

/** Anywhere, TLS is the service's only under its name. */
function waysElsewhere(client: Client, service: AddressedService, port: MeshPort): readonly CapturedWay[] {
  const ways = waysTo(client, service, port, service.subnets);
  if (!isTls(port) || service.host === "*") return ways;
  return ways.map((way) => (way.serverNames.length === 0 ? { ...way, serverNames: [service.host] } : way));
}

/**
 * Whether connections may be meant for the service that go to none of its addresses. Whoever asked another resolver for
 * a host of TLS is known by the name.
 */
function isFoundElsewhere(service: AddressedService, port: MeshPort): boolean {
  if (service.isHeadless || service.addresses.length > 0) return service.subnets.length > 0;
  return service.told.length === 0 || isTls(port);
}
