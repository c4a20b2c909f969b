// `scrim x precheck`: whether an installation would work in a cluster.
import { precheck } from "../../install/cluster/precheck.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { withClusterOf } from "./asked-cluster.ts";
import { type ClusterOptions, nameOfInstallation } from "./options.ts";

/** Prints what was looked at. Throws CommandFailure where something keeps an installation from working. */
export async function precheckCommand(options: ClusterOptions, context: CommandContext): Promise<void> {
  const { terminal } = context;
  await withClusterOf(options, context, async (cluster) => {
    const checks = await precheck(cluster, nameOfInstallation(options).namespace);
    for (const { severity, message } of checks) terminal.out(`${severity.padEnd(7)} ${message}\n`);
    if (checks.some(({ severity }) => severity === "error"))
      throw commandFailure("failed", "An installation would not work here.");
  });
}
