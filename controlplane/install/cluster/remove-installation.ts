// Consumes: which installation is to go.
// Produces: the cluster without it: what asks it first, then what it serves with.
// Never does: remove what it did not make, or what people wrote, unless it is told to purge.
import { isLeaderLease, leaderLease } from "../../kubernetes/lease.ts";
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import type { Cluster } from "./cluster.ts";
import { foreignOwner, type InstallationName, installedObjects } from "./ownership.ts";
import { definitionKind, nameOf, namespaceKind, pathOf, pathOfKind } from "./resource-kinds.ts";

const core = (plural: string) => ({ apiVersion: "v1", kind: "", plural, namespaced: true });
const leases = { ...core("leases"), apiVersion: "coordination.k8s.io/v1" };
const ROOTS = "istio-ca-root-cert";
const AUTHORITY = "istio-ca-secret";

/** What is removed: one installation, or with `purge` everything of Scrim's in the cluster. */
export interface Removal {
  readonly name: InstallationName;
  readonly purge: boolean;
  readonly report: (line: string) => void;
}

/** Removes what is at a path, and says so; nothing happens where nothing is. */
type Remove = (path: string, name: string) => Promise<void>;

/** Removes it; resolves to how many objects went. */
export async function removeInstallation(cluster: Cluster, { name, purge, report }: Removal): Promise<number> {
  let removed = 0;
  const remove: Remove = async (path, called) => {
    if (!(await cluster.remove(path))) return;
    removed += 1;
    report(`Removed: ${called}`);
  };
  const objects = await installedObjects(cluster, purge ? undefined : name);
  for (const object of objects) await remove(pathOf(object), nameOf(object));
  // What control planes made of themselves: without its rights one that still ends does not make it anew.
  if (purge) await purgeRest(cluster, name, remove);
  else if (objects.length > 0) await removeLease(name.namespace, leaderLease(name.revision), remove);
  return removed;
}

async function removeLease(namespace: string, lease: string, remove: Remove): Promise<void> {
  await remove(pathOfKind(leases, namespace, lease), `Lease ${namespace}/${lease}`);
}

/** What control planes of every revision made of themselves, and what people wrote in the kinds that go. */
async function purgeRest(cluster: Cluster, { namespace }: InstallationName, remove: Remove): Promise<void> {
  for (const { metadata } of await cluster.list(pathOfKind(leases)))
    if (isLeaderLease(metadata.name)) await removeLease(metadata.namespace ?? namespace, metadata.name, remove);
  for (const { metadata } of await cluster.list(pathOfKind(namespaceKind)))
    await remove(pathOfKind(core("configmaps"), metadata.name, ROOTS), `ConfigMap ${metadata.name}/${ROOTS}`);
  await remove(pathOfKind(core("secrets"), namespace, AUTHORITY), `Secret ${namespace}/${AUTHORITY}`);
  const owner = Object.entries(OWNER_LABELS).map(([key, value]) => `${key}=${value}`);
  for (const definition of await cluster.list(pathOfKind(definitionKind), owner.join(",")))
    if (foreignOwner(definition) === undefined)
      await remove(
        pathOfKind(definitionKind, undefined, definition.metadata.name),
        `CustomResourceDefinition ${definition.metadata.name}, with all its objects`,
      );
}

/** What stays without a purge, for people. */
export const WHAT_STAYS =
  "What stays: the definitions of custom resources with the objects that people wrote, the authority's Secrets " +
  `(cacerts, ${AUTHORITY}), the ConfigMaps ${ROOTS} and the namespaces. --purge removes all but cacerts and namespaces.`;
