// One cluster for all tests of the project, which ends with their run, however that ends.
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { endCluster, startCluster } from "../cluster.mjs";
import { clusterMissing } from "./missing.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder of the cluster; "" where there is none. */
    readonly cluster: string;
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (clusterMissing() !== undefined) {
    project.provide("cluster", "");
    return undefined;
  }
  const state = join(tmpdir(), `scrim-cluster-${process.pid}`);
  project.provide("cluster", state);
  await startCluster(state, { isHeld: true });
  return () => endCluster(state);
}
