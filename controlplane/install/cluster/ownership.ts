// Which objects of a cluster are an installation's, and which are somebody else's and stay as they are.
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import type { KubernetesObject } from "../description/render.ts";
import type { Cluster, LiveObject } from "./cluster.ts";
import { nameOf, pathOf, pathOfKind, resourceKinds } from "./resource-kinds.ts";

/** On every object that `scrim install` makes: which installation it belongs to. */
const INSTALLATION_LABEL = "install.scrim.mesh/installation";

/** Which one: there is one of each revision in a namespace. */
export interface InstallationName {
  readonly namespace: string;
  /** "" for the default one. */
  readonly revision: string;
}

function labelOf({ namespace, revision }: InstallationName): string {
  return `${namespace}.${revision || "default"}`;
}

/** Returns the selector of an installation's objects; of all installations' without a name. */
export function selectorOf(name?: InstallationName): string {
  return name === undefined ? INSTALLATION_LABEL : `${INSTALLATION_LABEL}=${labelOf(name)}`;
}

/** Returns the object with the label by which it is found again. */
export function owned(object: KubernetesObject, name: InstallationName): KubernetesObject {
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [INSTALLATION_LABEL]: labelOf(name) } } };
}

/** Returns whom an object belongs to that is not ours to change; undefined: it is. */
export function foreignOwner(live: LiveObject): string | undefined {
  const { labels = {}, annotations = {} } = live.metadata;
  const release = annotations["meta.helm.sh/release-name"];
  if (labels["app.kubernetes.io/managed-by"] === "Helm" || release !== undefined)
    return `Helm's release ${release ?? "of some name"}`;
  const isOurs = Object.entries(OWNER_LABELS).every(([name, value]) => labels[name] === value);
  return isOurs ? undefined : "somebody else, such as Istio";
}

/** Resolves to the objects of an installation (or of all), in the order in which they may go. */
export async function installedObjects(cluster: Cluster, name?: InstallationName): Promise<readonly LiveObject[]> {
  const objects: LiveObject[] = [];
  // Kubernetes makes objects of its own for ours, with our labels (a Service's EndpointSlices): they go with them.
  for (const kind of resourceKinds)
    for (const item of await cluster.list(pathOfKind(kind), selectorOf(name)))
      if ((item.metadata.ownerReferences ?? []).length === 0)
        // Items of a list do not say their kind.
        objects.push({ ...item, apiVersion: kind.apiVersion, kind: kind.kind });
  return objects;
}

/** Removes what an older installation of the name made and this one has not; resolves to their names. */
export async function prune(
  cluster: Cluster,
  name: InstallationName,
  wanted: readonly KubernetesObject[],
): Promise<readonly string[]> {
  const paths = new Set(wanted.map(pathOf));
  const stale = (await installedObjects(cluster, name)).filter((object) => !paths.has(pathOf(object)));
  for (const object of stale) await cluster.remove(pathOf(object));
  return stale.map(nameOf);
}
