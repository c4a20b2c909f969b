// Consumes: which installation is to go.
// Produces: the cluster without it: what asks it first, then what it serves with.
// Never does: remove what it did not make, or what people wrote, unless it is told to purge.
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import type { Cluster } from "./cluster.ts";
import { foreignOwner, type InstallationName, installedObjects } from "./ownership.ts";
import { definitionKind, nameOf, namespaceKind, pathOf, pathOfKind } from "./resource-kinds.ts";

const core = (plural: string) => ({ apiVersion: "v1", kind: "", plural, namespaced: true });
const leases = { ...core("leases"), apiVersion: "coordination.k8s.io/v1" };
const ROOTS = "istio-ca-root-cert";
const AUTHORITY = "istio-ca-secret";
const LEADER = /^istio-/;

/** What is removed: one installation, or with `purge` everything of Scrim's in the cluster. */
export interface Removal {
  readonly name: InstallationName;
  readonly purge: boolean;
  readonly report: (line: string) => void;
}

/** Removes it; resolves to how many objects went. */
export async function removeInstallation(cluster: Cluster, { name, purge, report }: Removal): Promise<number> {
  const objects = await installedObjects(cluster, purge ? undefined : name);
  for (const object of objects) {
    await cluster.remove(pathOf(object));
    report(`Removed: ${nameOf(object)}`);
  }
  // Without its rights a control plane that still ends does not make it anew.
  const lease = `istio-leader${name.revision === "" ? "" : `-${name.revision}`}`;
  if (objects.length > 0 && (await cluster.remove(pathOfKind(leases, name.namespace, lease))))
    report(`Removed: Lease ${name.namespace}/${lease}`);
  return objects.length + (purge ? await purgeRest(cluster, name, report) : 0);
}

/** What control planes made of themselves, and what people wrote in the kinds that go. */
async function purgeRest(
  cluster: Cluster,
  { namespace }: InstallationName,
  report: Removal["report"],
): Promise<number> {
  let removed = 0;
  const remove = async (path: string, name: string) => {
    if (!(await cluster.remove(path))) return;
    removed += 1;
    report(`Removed: ${name}`);
  };
  for (const one of await cluster.list(pathOfKind(namespaceKind)))
    await remove(pathOfKind(core("configmaps"), one.metadata.name, ROOTS), `ConfigMap ${one.metadata.name}/${ROOTS}`);
  await remove(pathOfKind(core("secrets"), namespace, AUTHORITY), `Secret ${namespace}/${AUTHORITY}`);
  for (const { metadata } of await cluster.list(pathOfKind(leases, namespace)))
    if (LEADER.test(metadata.name))
      await remove(pathOfKind(leases, namespace, metadata.name), `Lease ${namespace}/${metadata.name}`);
  const owner = Object.entries(OWNER_LABELS).map(([key, value]) => `${key}=${value}`);
  for (const definition of await cluster.list(pathOfKind(definitionKind), owner.join(",")))
    if (foreignOwner(definition) === undefined)
      await remove(
        pathOfKind(definitionKind, undefined, definition.metadata.name),
        `CustomResourceDefinition ${definition.metadata.name}, with all its objects`,
      );
  return removed;
}

/** What stays without a purge, for people. */
export const WHAT_STAYS =
  "What stays: the definitions of custom resources with the objects that people wrote, the authority's Secrets " +
  `(cacerts, ${AUTHORITY}), the ConfigMaps ${ROOTS} and the namespaces. --purge removes all but cacerts and namespaces.`;
