// How a cluster differs from an installation: for a check, and for what a dry run says.
import { isDeepStrictEqual } from "node:util";
import { isJsonObject } from "../../model/json-object.ts";
import type { KubernetesObject } from "../description/render.ts";
import { type Installation, namespacesOf } from "../installation.ts";
import type { Cluster, LiveObject } from "./cluster.ts";
import { foreignOwner, type InstallationName, installedObjects, owned } from "./ownership.ts";
import { missingOf } from "./readiness.ts";
import { definitionKind, nameOf, namespaceKind, pathOf, pathOfKind } from "./resource-kinds.ts";

/** How one object stands. */
export interface Comparison {
  readonly name: string;
  readonly state: "missing" | "different" | "foreign" | "not ready" | "as installed" | "stale";
  /** A clause, where there is more to say. */
  readonly detail?: string;
}

/** Resolves to a comparison for each object of the installation, and for what it has not any more. */
export async function compareInstallation(
  installation: Installation,
  cluster: Cluster,
): Promise<readonly Comparison[]> {
  const wanted = installation.steps.flatMap(({ objects }) => objects);
  const comparisons: Comparison[] = [...(await missingNamespaces(installation, cluster))];
  for (const object of wanted) comparisons.push(await compareObject(object, installation, cluster));
  const paths = new Set(wanted.map(pathOf));
  const stale = (await installedObjects(cluster, installation)).filter((object) => !paths.has(pathOf(object)));
  return [...comparisons, ...stale.map((object): Comparison => ({ name: nameOf(object), state: "stale" }))];
}

/** Namespaces are made where they are missing; what else they are is nothing of an installation's. */
async function missingNamespaces(installation: Installation, cluster: Cluster): Promise<readonly Comparison[]> {
  const missing: Comparison[] = [];
  for (const name of namespacesOf(installation))
    if ((await cluster.get(pathOfKind(namespaceKind, undefined, name))) === undefined)
      missing.push({ name: `Namespace ${name}`, state: "missing" });
  return missing;
}

async function compareObject(object: KubernetesObject, name: InstallationName, cluster: Cluster): Promise<Comparison> {
  const called = nameOf(object);
  const live = await cluster.get(pathOf(object));
  if (live === undefined) return { name: called, state: "missing" };
  const isDefinition = object.kind === definitionKind.kind;
  const owner = foreignOwner(live);
  if (owner !== undefined) return { name: called, state: "foreign", detail: `belongs to ${owner}` };
  const applied = await cluster.apply(isDefinition ? object : owned(object, name), { dryRun: true });
  if (!isDeepStrictEqual(contentOf(applied), contentOf(live))) return { name: called, state: "different" };
  const detail = missingOf({ ...live, kind: object.kind });
  return detail === undefined ? { name: called, state: "as installed" } : { name: called, state: "not ready", detail };
}

/** What of an object people decide: its labels, its annotations, and all but its status. */
function contentOf({ metadata, status: _, ...rest }: LiveObject) {
  const { webhooks } = rest;
  return {
    ...rest,
    labels: metadata.labels,
    annotations: metadata.annotations,
    ...(Array.isArray(webhooks) && { webhooks: webhooks.map(withoutServing) }),
  };
}

/** Which certificate it has, and whether it may refuse, the control plane says once it serves. */
function withoutServing(webhook: unknown) {
  if (!isJsonObject(webhook)) return webhook;
  const { failurePolicy: _, clientConfig, ...rest } = webhook;
  const { caBundle: __, ...where } = isJsonObject(clientConfig) ? clientConfig : {};
  return { ...rest, where };
}
