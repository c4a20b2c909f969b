// One client's virtual hosts where its connections are captured: each in the table of the port that was asked for.
import type { Route, VirtualHost } from "../ir/routes.ts";
import { type Client, routesOfPort, routesOfRule } from "./client-hosts.ts";
import { decisionOf } from "./engine.ts";
import { DEFAULT_PORT, shortNames } from "./host-domains.ts";
import type { AddressedService } from "./captured-ports.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";

/** Returns the host of a port that speaks HTTP, by every spelling; ports do not count. */
export function capturedHost(client: Client, service: AddressedService, port: MeshPort): VirtualHost {
  const names = [service.host, ...shortNames(service.host, client.namespace)];
  const addresses = service.told.map((address) => (address.includes(":") ? `[${address}]` : address));
  // Who chooses one of its pods by name asks for `web-0.web`.
  const members = service.isHeadless ? names.map((name) => `*.${name}`) : [];
  const routes = routesOfPort(client, service, port);
  return virtualHost(client, service.host, port.number, [...names, ...addresses, ...members], routes);
}

/** Returns the one host of the table of a port that only sometimes speaks HTTP: whatever is asked for is meant for it. */
export function sniffedHost(client: Client, service: MeshService, port: MeshPort): VirtualHost {
  return virtualHost(client, service.host, port.number, ["*"], routesOfPort(client, service, port));
}

/** Returns the host, for port 80, of a rule for a name that is no service; none without routes for the client. */
export function capturedRuledHost(client: Client, host: string): readonly VirtualHost[] {
  const routes = routesOfRule(client, host);
  return routes.length === 0 ? [] : [virtualHost(client, host, DEFAULT_PORT, [host], routes)];
}

function virtualHost(
  client: Client,
  host: string,
  port: number,
  domains: readonly string[],
  routes: readonly Route[],
): VirtualHost {
  return {
    name: `${host}:${port}`,
    domains,
    routes,
    decidedBy: decisionOf(client.world.mesh.engine, routes),
    requireTls: false,
  };
}
