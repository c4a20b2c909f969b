// Whether every name inside a class's resources resolves within them, checked before they are published.
import type { EncodedResources } from "./encode.ts";
import type { ResourceKind } from "./resources.ts";
import { resourceKinds } from "./type-urls.ts";

export type SnapshotProblem =
  /** `from` names `to`, which is not there. */
  | { readonly kind: "dangling"; readonly from: ResourceAddress; readonly to: ResourceAddress }
  /** A virtual host whose route configuration is not there. */
  | { readonly kind: "orphan"; readonly from: ResourceAddress };

export interface ResourceAddress { readonly kind: ResourceKind; readonly name: string }

/**
 * Every reference that does not resolve. Clusters of the bootstrap (as the control plane's own) and secrets, which belong to the
 * identity, are known by the two predicates.
 */
export function findProblems(encoded: EncodedResources, isBootstrapCluster: (name: string) => boolean, isSecret: (name: string) => boolean): SnapshotProblem[] {
  const problems: SnapshotProblem[] = [];
  const resolves = ({ kind, name }: ResourceAddress): boolean => {
    if (kind === "secrets") return isSecret(name);
    return encoded.maps[kind].has(name) || (kind === "clusters" && isBootstrapCluster(name));
  };
  for (const kind of resourceKinds) {
    if (kind === "secrets") continue;
    for (const { name, references } of encoded.maps[kind].values()) {
      for (const to of references) if (!resolves(to)) problems.push({ kind: "dangling", from: { kind, name }, to });
      if (kind === "virtualHosts" && !encoded.maps.routes.has(routeConfigurationOf(name))) problems.push({ kind: "orphan", from: { kind, name } });
    }
  }
  return problems;
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
