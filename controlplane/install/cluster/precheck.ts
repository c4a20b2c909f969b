// Whether a cluster is one that an installation works in.
import { customResourceDefinitions } from "../crds/custom-resource-definitions.ts";
import { at, type Cluster } from "./cluster.ts";
import { foreignOwner } from "./ownership.ts";
import { definitionKind, namespaceKind, pathOfKind, type ResourceKind, resourceKinds } from "./resource-kinds.ts";

/** One thing that was looked at. */
export interface Check {
  readonly severity: "ok" | "warning" | "error";
  readonly message: string;
}

/** Below it, API kinds that an installation needs are missing. */
const OLDEST_MINOR = 28;
/** From it on a proxy may be an init container that goes on running. */
const NATIVE_SIDECARS_MINOR = 29;

/** What an installation does with objects of each kind. */
const VERBS = ["get", "list", "create", "patch", "delete"] as const;

/** A kind, and what may not be done with its objects. */
interface Missing {
  readonly kind: ResourceKind;
  readonly verbs: readonly string[];
}

/** Resolves to what was looked at: as far as one may. Throws ScrimError where the cluster does not answer. */
export async function precheck(cluster: Cluster, namespace: string): Promise<readonly Check[]> {
  const missing = await missingRights(cluster, namespace);
  const isListed = (kind: ResourceKind) => !missing.some((one) => one.kind === kind && one.verbs.includes("list"));
  return [
    await checkVersion(cluster),
    ...describeRights(missing),
    ...(isListed(definitionKind) ? await checkDefinitions(cluster) : []),
    ...(await checkWebhooks(cluster, isListed)),
  ];
}

async function checkVersion(cluster: Cluster): Promise<Check> {
  const version = await cluster.ask({ method: "GET", path: "/version" });
  const minor = Number.parseInt(String(at(version, "minor")), 10);
  const name = `Kubernetes ${String(at(version, "gitVersion"))}`;
  if (minor < OLDEST_MINOR) return { severity: "error", message: `${name} is older than 1.${OLDEST_MINOR}` };
  return minor < NATIVE_SIDECARS_MINOR
    ? { severity: "warning", message: `${name} has no native sidecars: Jobs with a proxy do not end by themselves` }
    : { severity: "ok", message: name };
}

async function missingRights(cluster: Cluster, namespace: string): Promise<readonly Missing[]> {
  const missing: Missing[] = [];
  for (const kind of [...resourceKinds, definitionKind, namespaceKind]) {
    const allowed = await Promise.all(VERBS.map((verb) => isAllowed(cluster, kind, verb, namespace)));
    const verbs = VERBS.filter((_, index) => !allowed[index]);
    if (verbs.length > 0) missing.push({ kind, verbs });
  }
  return missing;
}

/** Returns a line for each set of verbs that is missing, with the kinds of which it is. */
function describeRights(missing: readonly Missing[]): readonly Check[] {
  if (missing.length === 0) return [{ severity: "ok", message: "You may make everything that an installation has" }];
  const pluralsOf = new Map<string, readonly string[]>();
  for (const { kind, verbs } of missing)
    pluralsOf.set(verbs.join(", "), [...(pluralsOf.get(verbs.join(", ")) ?? []), kind.plural]);
  return [...pluralsOf].map(([verbs, plurals]) => ({
    severity: "error",
    message: `You may not ${verbs}: ${plurals.join(", ")}`,
  }));
}

async function isAllowed(
  cluster: Cluster,
  { apiVersion, plural, namespaced }: ResourceKind,
  verb: string,
  namespace: string,
): Promise<boolean> {
  const [, group = ""] = apiVersion.split("/").reverse();
  // Its objects are found again by their labels, in whichever namespace they are.
  const isInside = namespaced && verb !== "list";
  const resourceAttributes = { group, resource: plural, verb, ...(isInside && { namespace }) };
  const review = await cluster.ask({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes },
    },
  });
  return at(review, "status", "allowed") === true;
}

async function checkDefinitions(cluster: Cluster): Promise<readonly Check[]> {
  const ours = new Set(customResourceDefinitions().map(({ metadata }) => metadata.name));
  const foreign = (await cluster.list(pathOfKind(definitionKind))).filter(
    (live) => ours.has(live.metadata.name) && foreignOwner(live) !== undefined,
  );
  if (foreign.length === 0) return [];
  const names = foreign.map(({ metadata }) => metadata.name).join(", ");
  return [{ severity: "warning", message: `Somebody else's definitions are left as they are: ${names}` }];
}

/** Two injectors for the same pods would both put a proxy into them. */
async function checkWebhooks(cluster: Cluster, isListed: (kind: ResourceKind) => boolean): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const kind of resourceKinds.filter(({ plural }) => plural.endsWith("webhookconfigurations")).filter(isListed))
    for (const live of await cluster.list(pathOfKind(kind))) {
      const owner = foreignOwner(live);
      if (/^istio-(?:sidecar-injector|revision-tag|validator)/.test(live.metadata.name) && owner !== undefined)
        checks.push({
          severity: "error",
          message: `${kind.kind} ${live.metadata.name} belongs to ${owner}: install beside it with --revision NAME`,
        });
    }
  return checks;
}
