// The http routes of a VirtualService, for one client and port, in the IR's words.
import type { HttpRouteSpec } from "../../model/kinds/virtual-service.ts";
import { parseSticky, STICKY_ANNOTATION } from "../../model/sticky.ts";
import type { World } from "../../world/world.ts";
import type { Route } from "../ir/routes.ts";
import { resolveCrossOrigin } from "./cross-origin.ts";
import { httpRoutesOf } from "./delegated-routes.ts";
import type { DestinationResolver } from "./destination.ts";
import { resolveFault } from "./fault.ts";
import { resolveHeaderChanges } from "./header-changes.ts";
import { appliesHere, isCatchAll, matchAll, resolveRequestMatch, type RouteContext } from "./request-match.ts";
import { resolveAction } from "./route-action.ts";
import type { VirtualServiceObject } from "./virtual-service.ts";

/**
 * Returns the routes in order, one for each match. Matches that cannot apply here (source, gateway, port) are left out,
 * and so is everything after the first route that takes every request.
 */
export function resolveHttpRoutes(
  world: World,
  service: VirtualServiceObject,
  context: RouteContext,
  destinations: DestinationResolver,
): readonly Route[] {
  const { name, namespace } = service.metadata;
  const routes: Route[] = [];
  for (const [index, spec] of httpRoutesOf(world, service).entries()) {
    const matches = spec.match?.length ? spec.match : [undefined];
    const template = routeTemplate(spec, `${namespace}/${name}`, service, context, destinations);
    for (const [matchIndex, matchSpec] of matches.entries()) {
      if (matchSpec !== undefined && !appliesHere(matchSpec, context, namespace)) continue;
      const match = matchSpec === undefined ? matchAll : resolveRequestMatch(matchSpec);
      const name = routeName(spec, matchSpec?.name);
      const statPrefix = matchSpec?.statPrefix;
      routes.push({ ...template(), name, key: `${index}.${matchIndex}`, match, ...(statPrefix && { statPrefix }) });
      if (isCatchAll(match)) return routes;
    }
  }
  return routes;
}

/** Returns a function, so that a route whose matches all lie elsewhere asks for no destination. */
function routeTemplate(
  spec: HttpRouteSpec,
  origin: string,
  service: VirtualServiceObject,
  context: RouteContext,
  destinations: DestinationResolver,
): () => Omit<Route, "name" | "key" | "match"> {
  let made: Omit<Route, "name" | "key" | "match"> | undefined;
  const crossOrigin = resolveCrossOrigin(spec.corsPolicy);
  return () =>
    (made ??= {
      action: resolveAction(spec, service.metadata.namespace, context.port, destinations),
      ...resolveSticky(spec, service),
      ...resolveFault(spec.fault),
      ...(crossOrigin && { crossOrigin }),
      requestHeaders: resolveHeaderChanges(spec.headers?.request),
      responseHeaders: resolveHeaderChanges(spec.headers?.response),
      origin,
    });
}

/** The salt is the VirtualService's own unless it gives one: who is early for one service is not for every other. */
function resolveSticky(spec: HttpRouteSpec, service: VirtualServiceObject): Pick<Route, "sticky"> {
  const { name, namespace, annotations } = service.metadata;
  const text = annotations[STICKY_ANNOTATION];
  if (text === undefined || (spec.route ?? []).filter((entry) => (entry.weight ?? 0) > 0).length < 2) return {};
  const parsed = parseSticky(text);
  return parsed.kind === "failed" ? {} : { sticky: { by: parsed.by, salt: parsed.salt ?? `${namespace}/${name}` } };
}

/** Istio names a route by its own name and its match's, if there is one. */
function routeName(spec: HttpRouteSpec, matchName: string | undefined): string {
  if (!spec.name) return matchName || "default";
  return matchName ? `${spec.name}.${matchName}` : spec.name;
}
