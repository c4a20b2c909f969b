// What can be said of a map of resources as a whole, found out once for all who are served it, and of maps with layers
// once for each layer.
import { layered, layersOf } from "../world/layered-map.ts";
import { routeConfigurationOf } from "./consistency.ts";
import type { EncodedMap, EncodedResource } from "./encode.ts";

const NOTHING: ReadonlyMap<string, string> = new Map();
const newTo = new WeakMap<EncodedMap, ReadonlyMap<string, string>>();

/**
 * Returns every name of a map with no version (""), as who has nothing of it sees it; the same object for the same map,
 * and layers shared as the map's are.
 */
export function allNew(basis: EncodedMap): ReadonlyMap<string, string> {
  if (basis.size === 0) return NOTHING;
  let names = newTo.get(basis);
  if (names === undefined) {
    const layers = layersOf(basis);
    names =
      layers === undefined
        ? new Map([...basis.keys()].map((name) => [name, ""]))
        : layered(allNew(layers.shared), allNew(layers.own));
    newTo.set(basis, names);
  }
  return names;
}

/** Returns the layers of a map that has two and no name in both, else the map. */
export function disjointParts(map: EncodedMap): readonly EncodedMap[] {
  const layers = layersOf(map);
  return layers !== undefined && layers.shared.size + layers.own.size === map.size
    ? [layers.shared, layers.own]
    : [map];
}

const contents = new WeakMap<EncodedMap, readonly EncodedResource[]>();

/** Returns all resources of a map, in no order that counts. */
export function contentsOf(basis: EncodedMap): readonly EncodedResource[] {
  const [shared, own] = disjointParts(basis);
  if (shared !== undefined && own !== undefined) return contentsOf(shared).concat(contentsOf(own));
  let all = contents.get(basis);
  if (all === undefined) contents.set(basis, (all = [...basis.values()]));
  return all;
}

const routes = new WeakMap<EncodedMap, ReadonlySet<string>>();

/** Returns the route configurations that a map's virtual hosts belong to. */
export function routesOfHosts(hosts: EncodedMap): ReadonlySet<string> {
  let names = routes.get(hosts);
  if (names === undefined) routes.set(hosts, (names = new Set([...hosts.keys()].map(routeConfigurationOf))));
  return names;
}
