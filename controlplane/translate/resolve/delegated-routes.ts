// The http routes of a VirtualService, those of its delegates in the place of the routes that delegate to them.
import type { DestinationSpec, HttpMatchSpec, HttpRouteSpec } from "../../model/kinds/virtual-service.ts";
import { resolveHost } from "../../model/hosts.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { mergeMatches } from "./delegated-match.ts";
import { qualifyGateway } from "./request-match.ts";
import { isExported } from "./visibility.ts";

type VirtualService = MeshObject<"VirtualService">;

/** What a route that delegates leads to. */
export type Delegation =
  | { readonly kind: "found"; readonly delegate: VirtualService }
  /** `has hosts`: it routes by itself, so nobody delegates to it. */
  | { readonly kind: "missing" | "not exported" | "has hosts"; readonly namespace: string; readonly name: string };

/** Returns what the delegate that a VirtualService of `owner` names is. */
export function delegationOf(
  world: World,
  { name, namespace }: NonNullable<HttpRouteSpec["delegate"]>,
  owner: string,
): Delegation {
  const at = { namespace: namespace ?? owner, name };
  const delegate = world.get("VirtualService", at.namespace, name);
  if (delegate === undefined) return { kind: "missing", ...at };
  if ((delegate.spec.hosts ?? []).length > 0) return { kind: "has hosts", ...at };
  return isExported(delegate.spec.exportTo, at.namespace, owner)
    ? { kind: "found", delegate }
    : { kind: "not exported", ...at };
}

/**
 * Returns the http routes of a VirtualService, by full names, since the routes of a delegate mean those of its own
 * namespace. A route whose delegate cannot be had is left out, and so are routes of
 * a delegate whose matches lie outside of the match that delegates.
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/#Delegate
 */
export function httpRoutesOf(world: World, { metadata }: VirtualService): readonly HttpRouteSpec[] {
  return routesByName(world, metadata.namespace, metadata.name);
}

const routesByName = derived((world: World, namespace: string, name: string): readonly HttpRouteSpec[] =>
  (world.get("VirtualService", namespace, name)?.spec.http ?? []).flatMap((route) => {
    const root = withFullNames(route, namespace);
    if (route.delegate === undefined) return [root];
    const delegation = delegationOf(world, route.delegate, namespace);
    if (delegation.kind !== "found") return [];
    const { delegate } = delegation;
    return (delegate.spec.http ?? []).flatMap(
      (own) => mergeRoutes(root, withFullNames(own, delegate.metadata.namespace)) ?? [],
    );
  }),
);

/**
 * Returns a delegate's route as it stands in the place of the root's: what it does not say itself is the root's;
 * undefined where none of its matches lies within the root's.
 */
export function mergeRoutes(root: HttpRouteSpec, own: HttpRouteSpec): HttpRouteSpec | undefined {
  const match = mergeMatches(root.match ?? [], own.match ?? []);
  if (match === undefined) return undefined;
  const { delegate: _delegate, redirect: _redirect, route: _route, ...inherited } = root;
  return { ...inherited, ...own, match, name: joinNames(root.name, own.name) };
}

function joinNames(root = "", own = ""): string {
  return root === "" || own === "" ? root + own : `${root}-${own}`;
}

/** Returns the route with every host and gateway in it by its full name, as `owner`, its namespace, means them. */
export function withFullNames(route: HttpRouteSpec, owner: string): HttpRouteSpec {
  const full = (destination: DestinationSpec) => ({ ...destination, host: resolveHost(destination.host, owner) });
  const qualified = (match: HttpMatchSpec) =>
    match.gateways === undefined
      ? match
      : { ...match, gateways: match.gateways.map((gateway) => qualifyGateway(gateway, owner)) };
  return {
    ...route,
    ...(route.match && { match: route.match.map(qualified) }),
    ...(route.route && {
      route: route.route.map((target) => ({ ...target, destination: full(target.destination) })),
    }),
    ...(route.mirror && { mirror: full(route.mirror) }),
    ...(route.mirrors && {
      mirrors: route.mirrors.map((mirror) => ({ ...mirror, destination: full(mirror.destination) })),
    }),
  };
}
