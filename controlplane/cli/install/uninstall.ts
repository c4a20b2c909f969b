// `scrim uninstall`: takes an installation out of a cluster, and says what stays.
import { count } from "../../install/cluster/apply-installation.ts";
import { removeInstallation, WHAT_STAYS } from "../../install/cluster/remove-installation.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { confirm, type ConfirmOptions } from "./confirm.ts";
import { described } from "./install.ts";
import { withClusterOf } from "./asked-cluster.ts";
import { type ClusterOptions, nameOfInstallation } from "./options.ts";

export type UninstallOptions = ClusterOptions & ConfirmOptions & { readonly purge?: boolean };

/** Removes it and says what stays. Throws CommandFailure where there is nothing. */
export async function uninstall(options: UninstallOptions, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const name = nameOfInstallation(options);
  const purge = options.purge ?? false;
  const what = purge
    ? "This will remove Scrim, with every revision, and every object that people wrote in its kinds and Istio's."
    : `This will remove Scrim${described(name)}. Pods keep their proxies until they are made anew, with the settings they have.`;
  await withClusterOf(options, context, async (cluster) => {
    await confirm(what, options, terminal);
    const removed = await removeInstallation(cluster, { name, purge, report: (line) => terminal.out(`${line}\n`) });
    if (removed === 0) throw commandFailure("not-found", `Nothing is installed${described(name)}.`);
    terminal.out(`${count(removed, "object")} removed.\n${purge ? "" : `${WHAT_STAYS}\n`}`);
  });
}
