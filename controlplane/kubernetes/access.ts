// Where a cluster's API server is, and who asks there.
import type { Failure } from "../model/failure.ts";
import type { ClusterAccess } from "../settings/cluster-access.ts";
import type { Access } from "./credentials.ts";
import { openInCluster } from "./in-cluster.ts";

/** Returns the way to the cluster that the settings mean; a failure where its files do not say it. */
export async function openAccess(settings: ClusterAccess): Promise<Access | Failure<"no-access">> {
  if (settings.kind === "in-cluster") return openInCluster(settings);
  // The library costs what few starts need: a pod's own access, and a mesh directory, do without.
  const { openKubeconfig } = await import("./kubeconfig.ts");
  return openKubeconfig(settings);
}
