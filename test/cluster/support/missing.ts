import { existsSync } from "node:fs";
import { join } from "node:path";
import { CLUSTER_IMAGES, CLUSTER_PROGRAMS } from "../../../deploy/setup/test-cluster.mjs";

/** Why there can be no test cluster here; undefined when there can. */
export function clusterMissing(): string | undefined {
  if (process.platform !== "linux") return "not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const file of [join(CLUSTER_PROGRAMS, "kubectl"), ...CLUSTER_IMAGES])
    if (!existsSync(file)) return "the set-up built none: it says why";
  return undefined;
}
