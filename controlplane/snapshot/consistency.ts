// Whether every name inside a class's resources resolves within them, checked before they are published.
import type { EncodedMap, EncodedResources } from "./encode.ts";
import type { ResourceKind } from "./resources.ts";
import { resourceKinds } from "./type-urls.ts";

export type SnapshotProblem =
  /** `from` names `to`, which is not there. */
  | { readonly kind: "dangling"; readonly from: ResourceAddress; readonly to: ResourceAddress }
  /** A virtual host whose route configuration is not there. */
  | { readonly kind: "orphan"; readonly from: ResourceAddress };

/** Kinds that others refer to. */
const TARGETS = ["clusters", "endpoints", "routes", "extensionConfigs"] as const;

export interface ResourceAddress { readonly kind: ResourceKind; readonly name: string }

/**
 * Every reference that does not resolve. Clusters of the bootstrap (as the control plane's own) and secrets, which belong to the
 * identity, are known by the two predicates. What stands unchanged in `before`, which had no problems, is not looked at again unless something
 * that could be referred to changed.
 */
export function findProblems(encoded: EncodedResources, isBootstrapCluster: (name: string) => boolean, isSecret: (name: string) => boolean, before?: EncodedResources): SnapshotProblem[] {
  const problems: SnapshotProblem[] = [];
  const resolves = ({ kind, name }: ResourceAddress): boolean => {
    if (kind === "secrets") return isSecret(name);
    return encoded.maps[kind].has(name) || (kind === "clusters" && isBootstrapCluster(name));
  };
  const isSettled = before !== undefined && TARGETS.every((kind) => haveSameNames(before.maps[kind], encoded.maps[kind]));
  for (const kind of resourceKinds) {
    if (kind === "secrets" || (isSettled && before.maps[kind] === encoded.maps[kind])) continue;
    for (const resource of encoded.maps[kind].values()) {
      const { name, references } = resource;
      if (isSettled && before.maps[kind].get(name) === resource) continue;
      for (const to of references) if (!resolves(to)) problems.push({ kind: "dangling", from: { kind, name }, to });
      if (kind === "virtualHosts" && !encoded.maps.routes.has(routeConfigurationOf(name))) problems.push({ kind: "orphan", from: { kind, name } });
    }
  }
  return problems;
}

const compared = new WeakMap<EncodedMap, { readonly before: WeakRef<EncodedMap>; readonly same: boolean }>();

/** Asked once for maps that many classes share. */
function haveSameNames(before: EncodedMap, after: EncodedMap): boolean {
  if (before === after) return true;
  const known = compared.get(after);
  if (known?.before.deref() === before) return known.same;
  const same = before.size === after.size && [...after.keys()].every((name) => before.has(name));
  compared.set(after, { before: new WeakRef(before), same });
  return same;
}

/** The route configuration of a VHDS resource name: `80` of `80/reviews.default.svc.cluster.local:9080`. */
export function routeConfigurationOf(virtualHostResource: string): string {
  const slash = virtualHostResource.indexOf("/");
  return slash < 0 ? "" : virtualHostResource.slice(0, slash);
}

/** One line for a log: which resource names what that is not there. */
export function describeProblem(problem: SnapshotProblem): string {
  const from = `${problem.from.kind} ${problem.from.name}`;
  return problem.kind === "dangling" ? `${from} names ${problem.to.kind} ${problem.to.name}, which does not exist` : `${from} belongs to no route configuration`;
}
