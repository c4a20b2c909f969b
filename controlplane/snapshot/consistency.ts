// Whether every name inside a class's resources resolves within them, checked before they are published.
import { layersOf } from "../world/layered-map.ts";
import type { EncodedMap, EncodedResources } from "./encode.ts";
import type { ResourceKind } from "./resources.ts";
import { resourceKinds } from "./type-urls.ts";

export type SnapshotProblem =
  /** `from` names `to`, which is not there. */
  | { readonly kind: "dangling"; readonly from: ResourceAddress; readonly to: ResourceAddress }
  /** A virtual host whose route configuration is not there. */
  | { readonly kind: "orphan"; readonly from: ResourceAddress };

export interface ResourceAddress {
  readonly kind: ResourceKind;
  readonly name: string;
}

/**
 * Every reference that does not resolve. Clusters of the bootstrap (as the control plane's own) and secrets, which
 * belong to the identity, are known by the two predicates. Each pair of maps is looked at once, however many classes
 * have both.
 */
export function findProblems(
  encoded: EncodedResources,
  isBootstrapCluster: (name: string) => boolean,
  isSecret: (name: string) => boolean,
): SnapshotProblem[] {
  const problems: SnapshotProblem[] = [];
  const isKnown = ({ kind, name }: ResourceAddress): boolean =>
    kind === "secrets" ? isSecret(name) : kind === "clusters" && isBootstrapCluster(name);
  for (const kind of resourceKinds) {
    if (kind === "secrets") continue;
    for (const map of leavesOf(encoded.maps[kind])) {
      for (const [target, referred] of referencesOf(map)) {
        const open = target === "secrets" ? referred : unresolved(referred, encoded.maps[target]);
        for (const { to, from } of open)
          if (!isKnown(to)) for (const one of from) problems.push({ kind: "dangling", from: one, to });
      }
      if (kind === "virtualHosts")
        for (const from of orphans(map, encoded.maps.routes)) problems.push({ kind: "orphan", from });
    }
  }
  return problems;
}

/** Returns the names of the resources of a kind that a map's refer to. */
export function namesReferredTo(map: EncodedMap, kind: ResourceKind): readonly string[] {
  return leavesOf(map).flatMap((leaf) => (referencesOf(leaf).get(kind) ?? NONE).map(({ to }) => to.name));
}

/** What is referred to, and by which resources. */
interface Referred {
  readonly to: ResourceAddress;
  readonly from: readonly ResourceAddress[];
}

/** A map's layers, or the map. */
function leavesOf(map: EncodedMap): readonly EncodedMap[] {
  const layers = layersOf(map);
  return layers === undefined ? [map] : [...leavesOf(layers.shared), ...leavesOf(layers.own)];
}

const references = new WeakMap<EncodedMap, ReadonlyMap<ResourceKind, readonly Referred[]>>();

/** What the resources of a map refer to, by the kind that they refer to, each name once. */
function referencesOf(map: EncodedMap): ReadonlyMap<ResourceKind, readonly Referred[]> {
  const known = references.get(map);
  if (known !== undefined) return known;
  const found = new Map<ResourceKind, Map<string, { to: ResourceAddress; from: ResourceAddress[] }>>();
  for (const { kind, name, references: named } of map.values()) {
    for (const to of named) {
      let ofKind = found.get(to.kind);
      if (ofKind === undefined) found.set(to.kind, (ofKind = new Map()));
      const same = ofKind.get(to.name);
      if (same === undefined) ofKind.set(to.name, { to, from: [{ kind, name }] });
      else same.from.push({ kind, name });
    }
  }
  const all = new Map([...found].map(([kind, ofKind]) => [kind, [...ofKind.values()]]));
  references.set(map, all);
  return all;
}

const left = new WeakMap<readonly Referred[], WeakMap<EncodedMap, readonly Referred[]>>();
const NONE: readonly Referred[] = [];

/** What is not in the map; looked at layer by layer, so that what a large layer resolves is found out once. */
function unresolved(referred: readonly Referred[], targets: EncodedMap): readonly Referred[] {
  return leavesOf(targets).reduce((open, leaf) => (open.length === 0 ? NONE : unresolvedIn(open, leaf)), referred);
}

function unresolvedIn(referred: readonly Referred[], leaf: EncodedMap): readonly Referred[] {
  let byLeaf = left.get(referred);
  if (byLeaf === undefined) left.set(referred, (byLeaf = new WeakMap()));
  let open = byLeaf.get(leaf);
  if (open === undefined) byLeaf.set(leaf, (open = referred.filter(({ to }) => !leaf.has(to.name))));
  return open;
}

const routesOfHosts = new WeakMap<EncodedMap, ReadonlyMap<string, ResourceAddress>>();

/** The first virtual host of each route configuration that is not there. */
function orphans(hosts: EncodedMap, routes: EncodedMap): readonly ResourceAddress[] {
  let byRoute = routesOfHosts.get(hosts);
  if (byRoute === undefined)
    routesOfHosts.set(
      hosts,
      (byRoute = new Map(
        [...hosts.values()].reverse().map(({ kind, name }) => [routeConfigurationOf(name), { kind, name }]),
      )),
    );
  return [...byRoute].filter(([route]) => !routes.has(route)).map(([, from]) => from);
}

/** The route configuration of a VHDS resource name: `80` of `80/reviews.default.svc.cluster.local:9080`. */
export function routeConfigurationOf(virtualHostResource: string): string {
  const slash = virtualHostResource.indexOf("/");
  return slash < 0 ? "" : virtualHostResource.slice(0, slash);
}

/** One line for a log: which resource names what that is not there. */
export function describeProblem(problem: SnapshotProblem): string {
  const from = `${problem.from.kind} ${problem.from.name}`;
  return problem.kind === "dangling"
    ? `${from} names ${problem.to.kind} ${problem.to.name}, which does not exist`
    : `${from} belongs to no route configuration`;
}
