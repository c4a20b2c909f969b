// `scrim verify-install`: whether a cluster has what was installed, as it was, and ready.
import { compareInstallation } from "../../install/cluster/compare-installation.ts";
import { readInstalledValues } from "../../install/cluster/installed-values.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { renderTable } from "../output.ts";
import { described, installationOf } from "./install.ts";
import { withClusterOf } from "./asked-cluster.ts";
import { type ClusterOptions, nameOfInstallation } from "./options.ts";

/** Prints what is not as it was. Throws CommandFailure where something is wrong. */
export async function verifyInstall(options: ClusterOptions, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const name = nameOfInstallation(options);
  await withClusterOf(options, context, async (cluster) => {
    const installed = await readInstalledValues(cluster, name);
    if (installed === undefined)
      throw commandFailure("not-found", `Nothing is installed${described(name)}: \`scrim install\` does it.`);
    const comparisons = await compareInstallation(installationOf(installed.values, name.namespace), cluster);
    const wrong = comparisons.filter(({ state }) => state !== "as installed");
    const faults = wrong.filter(
      ({ state, name: called }) => !(state === "foreign" && called.startsWith("CustomResource")),
    );
    if (wrong.length > 0)
      terminal.out(
        renderTable(
          ["STATE", "OBJECT", ""],
          wrong.map(({ state, name: called, detail }) => [state, called, detail ?? ""]),
        ),
      );
    const all = `${comparisons.length - wrong.length} of ${comparisons.length} objects are as installed`;
    if (faults.length > 0) throw commandFailure("failed", `${all} by Scrim ${installed.version}.`);
    terminal.out(`${all} by Scrim ${installed.version}, and ready.\n`);
  });
}
