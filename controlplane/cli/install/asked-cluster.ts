import { type Cluster, createCluster } from "../../install/cluster/cluster.ts";
import { openAccess } from "../../kubernetes/access.ts";
import { createApiClient } from "../../kubernetes/http-api-client.ts";
import { readClusterAccess } from "../../settings/cluster-access.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import type { ClusterOptions } from "./options.ts";

/** Works with the cluster that the options mean. Throws CommandFailure where nothing leads to one. */
export async function withClusterOf<T>(
  { kubeconfig, context }: ClusterOptions,
  { environment, clock }: CommandContext,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const settings = readClusterAccess(
    { ...(kubeconfig !== undefined && { kubeconfig }), ...(context !== undefined && { context }) },
    environment,
  );
  const access = await openAccess(settings);
  if ("kind" in access) throw commandFailure("unreachable", `${access.message}.`);
  const client = createApiClient({ access, clock, userAgent: "scrim-install" });
  try {
    return await work(createCluster(client));
  } finally {
    client.close();
  }
}
