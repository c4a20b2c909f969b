// Which of a cluster's kinds are read, and how the API server calls them.
import { allKinds, isKind, type Kind, kindDefinitions, pluralOf } from "../../model/kinds.ts";

/** A kind that is read, in one of its groups. */
export interface WatchedKind {
  readonly kind: Kind | "Node";
  /** "" for the core group. */
  readonly group: string;
  /** Those that will do, the best first. */
  readonly versions: readonly [string, ...string[]];
  readonly plural: string;
  /** Without it nothing is published: what is left would let in who is to stay out, or lead nowhere. */
  readonly isNeeded: boolean;
  /** Those that are read only where somebody names one are read by namespace. */
  readonly isNamed: boolean;
  /** Selectors, so that what nobody reads is not sent. */
  readonly query: Readonly<Record<string, string>>;
}

/** Read all over the cluster, except Secrets and ConfigMaps. */
const OF_KUBERNETES: readonly Kind[] = [
  ...(["Namespace", "ServiceAccount", "Service", "EndpointSlice", "Pod", "Secret", "ConfigMap"] as const),
];
/** Of workloads only their pods count on a cluster. */
const NOT_READ: ReadonlySet<Kind> = new Set(["Deployment", "StatefulSet", "DaemonSet", "Job"]);
const NAMED: ReadonlySet<string> = new Set(["Secret", "ConfigMap"]);
/** Kinds that keep somebody out. */
const PROTECTIVE_GROUP = "security.istio.io";
const NEEDED: ReadonlySet<string> = new Set(["Namespace", "Service", "Pod"]);

/**
 * What nobody reads: pods that ended, whose addresses others may have by now, and slices of Services with a selector,
 * which say what its pods say.
 */
const QUERIES: Readonly<Partial<Record<Kind, Readonly<Record<string, string>>>>> = {
  Pod: { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" },
  EndpointSlice: { labelSelector: "endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io" },
};

/** Every kind that is read of a cluster, the foundations first. */
export const watchedKinds: readonly WatchedKind[] = [
  ...[...OF_KUBERNETES, ...allKinds.filter((kind) => !OF_KUBERNETES.includes(kind) && !NOT_READ.has(kind))].flatMap(
    (kind) =>
      [...groupsOf(kindDefinitions[kind].apiVersions)].map(([group, versions]) => watched(kind, group, versions)),
  ),
  watched("Node", "", ["v1"]),
];

function watched(kind: WatchedKind["kind"], group: string, versions: WatchedKind["versions"]): WatchedKind {
  return {
    ...{ kind, group, versions, plural: pluralOf(kind) },
    isNeeded: NEEDED.has(kind) || group === PROTECTIVE_GROUP,
    isNamed: NAMED.has(kind),
    query: (isKind(kind) ? QUERIES[kind] : undefined) ?? {},
  };
}

function groupsOf(apiVersions: readonly string[]): ReadonlyMap<string, [string, ...string[]]> {
  const groups = new Map<string, [string, ...string[]]>();
  for (const apiVersion of apiVersions) {
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    const versions = groups.get(group);
    if (versions) versions.push(version);
    else groups.set(group, [version]);
  }
  return groups;
}

/** Returns a kind as people read of it: `virtualservices.networking.istio.io`, `pods`. */
export function describeKind({ plural, group }: Pick<WatchedKind, "plural" | "group">): string {
  return group === "" ? plural : `${plural}.${group}`;
}
