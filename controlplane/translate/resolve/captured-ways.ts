// Where a captured client's connections to a service go: as VirtualServices' tcp and tls routes say, else to the service.
import type { Labels } from "../../model/labels.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { CapturedWay } from "../ir/captured.ts";
import type { Upstream } from "../ir/upstream.ts";
import { type Client, contextOf } from "./client-hosts.ts";
import { byClient, connectionRules, connectionRulesFor, decisiveLabelsOf } from "./client-scope.ts";
import { type ConnectionRoute, connectionPolicyOf, isKnownForHttp } from "./connection-route.ts";
import { disjointWays } from "./disjoint-ways.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { resolveTcpRoutes } from "./tcp-route.ts";
import { resolveTlsRoutes } from "./tls-route.ts";

/**
 * Returns the ways of connections to a service's port. `blocks`: to which addresses, where a route does not say (none:
 * any).
 */
export function waysTo(
  client: Client,
  service: MeshService,
  port: MeshPort,
  blocks: readonly string[],
): readonly CapturedWay[] {
  const ruled = ruledRoutes(client, service.host, port);
  const own = {
    subnets: [],
    serverNames: [],
    targets: [{ upstream: client.destinations.ofPort(service, port.number), weight: 1 }],
  };
  // As in Istio: of TLS what no rule names is none of the service's.
  const routes = isTls(port) && ruled.length > 0 ? ruled : [...ruled, own];
  return disjointWays(routes.map((route) => wayOf(route, blocks, port)));
}

function ruledRoutes(client: Client, host: string, port: MeshPort): readonly ConnectionRoute[] {
  const resolve = isTls(port) ? resolveTlsRoutes : resolveTcpRoutes;
  return connectionRulesFor(client.world, client.namespace, client.labels, host).flatMap((rule) =>
    resolve(rule, contextOf(client, port.number), client.destinations),
  );
}

/** Returns whether connections to the port begin with TLS, and so name a host. */
export function isTls({ protocol }: MeshPort): boolean {
  return protocol === "tls" || protocol === "https";
}

function wayOf(route: ConnectionRoute, blocks: readonly string[], port: MeshPort): CapturedWay {
  const { subnets, serverNames, targets } = route;
  return {
    subnets: subnets.length > 0 ? subnets : blocks,
    serverNames: serverNames.includes("*") ? [] : serverNames,
    targets: targets.map(({ upstream, weight }) => ({ upstream: upstream.id, weight })),
    policy: connectionPolicyOf(targets),
    ...(isTls(port) && targets.some(({ upstream }) => isByName(upstream)) && { isLookedUp: true }),
    isHttpTarget: targets.some(({ upstream }) => isKnownForHttp(upstream)),
    isSniffed: port.protocol === "auto",
  };
}

function isByName({ discovery }: Upstream): boolean {
  return discovery.kind === "forward" && discovery.always === true;
}

/** Returns what to say of rules that cannot be obeyed where programs name the host that they want, not an address. */
export function resolveConnectionNotes(world: World, namespace: string, labels: Labels): readonly string[] {
  return connectionNotes(world, namespace, decisiveLabelsOf(world, labels));
}

const connectionNotes = derived(
  (world: World, namespace: string, labels: Labels): readonly string[] =>
    connectionRules(world, namespace, labels)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      .map((name) => `the tcp and tls routes of VirtualService ${name} need captured connections: this proxy has none`)
      .sort(),
  { ...byClient, same: sameItems },
);
