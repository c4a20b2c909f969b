// One client's virtual hosts: those of a service, and those that only a rule names.
import type { Labels } from "../../model/labels.ts";
import type { World } from "../../world/world.ts";
import type { Route, VirtualHost } from "../ir/routes.ts";
import { ruleFor } from "./client-scope.ts";
import type { DestinationResolver } from "./destination.ts";
import { decisionOf } from "./engine.ts";
import { noHeaderChanges } from "./header-changes.ts";
import { DEFAULT_PORT, shortNames, withPort } from "./host-domains.ts";
import { resolveHttpRoutes } from "./http-route.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { isHttp } from "./protocol.ts";
import { matchAll, type RouteContext } from "./request-match.ts";
import { forwardAction } from "./route-action.ts";

/** Who asks, and where what its routes lead to is gathered. */
export interface Client {
  readonly world: World;
  readonly namespace: string;
  readonly labels: Labels;
  readonly destinations: DestinationResolver;
}

/** Returns the hosts of a service, one for each of its ports. */
export function serviceHosts(client: Client, service: MeshService): readonly VirtualHost[] {
  return service.ports.map((port) =>
    isHttp(port.protocol) ? httpHost(client, service, port) : opaqueHost(client, service, port),
  );
}

/** Returns the routes of a port that speaks HTTP. */
export function routesOfPort(client: Client, service: MeshService, port: MeshPort): readonly Route[] {
  const rule = ruleFor(client.world, client.namespace, client.labels, service.host);
  const ruled = rule ? resolveHttpRoutes(client.world, rule, contextOf(client, port.number), client.destinations) : [];
  // A rule none of whose routes is for this client leaves the service as it is without a rule.
  return ruled.length > 0 ? ruled : [defaultRoute(client, service, port)];
}

function httpHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const ports = isOnlyHttpPort(service, port) ? [port.number, DEFAULT_PORT] : [port.number];
  const routes = routesOfPort(client, service, port);
  return virtualHost(client, service.host, ports, service.addresses, routes, {
    kind: port.protocol === "auto" ? "sniffed" : "http",
    opaque: client.destinations.ofPort(service, port.number).id,
  });
}

/**
 * A client that names no port of a Service, or 80, which is the same, can only mean its one port of HTTP where there is
 * no port 80.
 */
function isOnlyHttpPort(service: MeshService, port: MeshPort): boolean {
  return (
    service.declaredBy === "Service" &&
    port.number !== DEFAULT_PORT &&
    service.ports.every(
      ({ number, protocol }) => number === port.number || (number !== DEFAULT_PORT && !isHttp(protocol)),
    )
  );
}

/** What is not HTTP goes through a tunnel; a client that asks by HTTP nevertheless is passed on as it is. */
function opaqueHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  const { id } = client.destinations.ofPort(service, port.number);
  return virtualHost(client, service.host, [port.number], service.addresses, [defaultRoute(client, service, port)], {
    kind: "tunnel",
    upstream: id,
  });
}

/** Returns the host of a rule for a name that is no service; none where the rule has no routes for the client. */
export function ruledHost(client: Client, host: string): readonly VirtualHost[] {
  const routes = routesOfRule(client, host);
  return routes.length === 0 ? [] : [virtualHost(client, host, [DEFAULT_PORT], [], routes, { kind: "http" })];
}

/** Returns the routes of a rule for a name that is no service, as requests to port 80 take them. */
export function routesOfRule(client: Client, host: string): readonly Route[] {
  const rule = ruleFor(client.world, client.namespace, client.labels, host);
  return rule ? resolveHttpRoutes(client.world, rule, contextOf(client, DEFAULT_PORT), client.destinations) : [];
}

/** Returns what of a client counts for its rules. */
export function contextOf(client: Client, port: number): RouteContext {
  return { namespace: client.namespace, labels: client.labels, gateway: "mesh", port };
}

function defaultRoute(client: Client, service: MeshService, port: MeshPort): Route {
  const action = forwardAction(client.destinations.ofPort(service, port.number));
  return {
    name: "default",
    key: "default",
    match: matchAll,
    action,
    requestHeaders: noHeaderChanges,
    responseHeaders: noHeaderChanges,
  };
}

/** `ports`: its own, and by which others it may be asked for. */
function virtualHost(
  client: Client,
  host: string,
  ports: readonly number[],
  addresses: readonly string[],
  routes: readonly Route[],
  connect: VirtualHost["connect"],
): VirtualHost {
  const spellings = [host, ...shortNames(host, client.namespace), ...addresses];
  return {
    name: `${host}:${ports[0]}`,
    domains: ports.flatMap((port) => spellings.flatMap((spelling) => withPort(spelling, port))),
    routes,
    decidedBy: decisionOf(client.world.mesh.engine, routes),
    requireTls: false,
    connect,
  };
}
