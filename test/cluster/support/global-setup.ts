// One cluster with the mesh in it for all tests of the project, which ends with their run, however that ends.
//   SCRIM_CLUSTER=FOLDER npx vitest run --project cluster FILE    # in the one that `up` says it is in
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { TEST_HUB } from "../../../deploy/setup/test-cluster.mjs";
import { CLUSTER_SERVICES, endCluster, insideCluster, startCluster } from "../cluster.mjs";
import { clusterMissing } from "./missing.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder of the cluster; "" where there is none. */
    readonly cluster: string;
    /** What `scrim install` said. */
    readonly installed: string;
  }
}

const scrim = join(import.meta.dirname, "../../../controlplane/cli/scrim.mjs");

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env["SCRIM_CLUSTER"] ?? "";
  const state = clusterMissing() === undefined ? given || join(tmpdir(), `scrim-cluster-${process.pid}`) : "";
  project.provide("cluster", state);
  if (state === "") {
    project.provide("installed", "");
    return undefined;
  }
  if (given === "") await startCluster(state, { isHeld: true });
  project.provide("installed", await install(state));
  return given === "" ? () => endCluster(state) : undefined;
}

/** As a user does it, with the test cluster's images, and plugins that its own pods serve. */
async function install(state: string): Promise<string> {
  const values = [
    ...["profile=demo", `global.hub=${TEST_HUB}`],
    `pilot.extraArgs[0]=--allow-fetch-from=${CLUSTER_SERVICES}`,
  ].flatMap((value) => ["--set", value]);
  const [program = "", ...args] = insideCluster(state, [process.execPath, scrim, "install", "-y", ...values]);
  const startedMs = Date.now();
  const { stdout, stderr } = await promisify(execFile)(program, args);
  return `${stdout}${stderr}\nready after ${((Date.now() - startedMs) / 1000).toFixed(1)} s\n`;
}
