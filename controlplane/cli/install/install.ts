// `scrim install` and `scrim upgrade`: the mesh's control plane and gateways in a cluster.
import { applyInstallation } from "../../install/cluster/apply-installation.ts";
import type { Cluster } from "../../install/cluster/cluster.ts";
import { compareInstallation } from "../../install/cluster/compare-installation.ts";
import { installedValuesObject, readInstalledValues } from "../../install/cluster/installed-values.ts";
import { describeInstallation, type Installation } from "../../install/installation.ts";
import { mergeValues, type Values } from "../../install/values/words.ts";
import { parseDurationMs } from "../../model/duration.ts";
import { isFailed } from "../../model/failure.ts";
import { SCRIM_VERSION } from "../../settings/version.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { renderTable } from "../output.ts";
import { confirm, type ConfirmOptions } from "./confirm.ts";
import { withClusterOf } from "./asked-cluster.ts";
import { type ClusterOptions, nameOfInstallation, type ValuesOptions } from "./options.ts";
import { readValues } from "./read-values.ts";

export type InstallOptions = ClusterOptions &
  ValuesOptions &
  ConfirmOptions & { readonly dryRun?: boolean; readonly readinessTimeout: string };

/** Applies what the options mean. Throws CommandFailure, or ScrimError with what is wrong. */
export async function install(options: InstallOptions, context: CommandContext, upgrading: boolean): Promise<void> {
  const { terminal, clock } = context;
  const timeoutMs = parseDurationMs(options.readinessTimeout);
  if (timeoutMs === undefined)
    throw commandFailure(
      "usage",
      `--readiness-timeout ${options.readinessTimeout} is not a duration: write 300s or 5m.`,
    );
  await withClusterOf(options, context, async (cluster) => {
    const installation = await wantedInstallation(options, { cluster, upgrading, warn: terminal.err });
    if (options.dryRun) return printPlan(await compareInstallation(installation, cluster), terminal.out);
    const verb = upgrading ? "upgrade to" : "install";
    const what = `This will ${verb} Scrim ${SCRIM_VERSION}${described(installation)}.`;
    await confirm(what, options, terminal);
    await applyInstallation(installation, { cluster, clock, timeoutMs, report: (line) => terminal.out(`${line}\n`) });
    terminal.out(`${upgrading ? "Upgraded" : "Installed"}, and ready.\n${nextSteps(installation)}`);
  });
}

interface Wanted {
  readonly cluster: Cluster;
  readonly upgrading: boolean;
  readonly warn: (text: string) => void;
}

/** Resolves to what the options mean: with the values that are installed, where that is upgraded. */
async function wantedInstallation(
  options: ClusterOptions & ValuesOptions,
  { cluster, upgrading, warn }: Wanted,
): Promise<Installation> {
  const { namespace } = nameOfInstallation(options);
  const ofOption = options.revision !== undefined && { revision: options.revision };
  const given = { ...(await readValues(options, (line) => warn(`${line}\n`))), ...ofOption };
  if (!upgrading) return installationOf(given, namespace);
  const name = { namespace, revision: String(given["revision"] ?? "") };
  const before = await readInstalledValues(cluster, name);
  if (before === undefined)
    throw commandFailure("not-found", `Nothing is installed${described(name)}: \`scrim install\` does it.`);
  return installationOf(mergeValues(before.values, given), namespace);
}

/** Returns the installation of these values, with the object that keeps them. Throws CommandFailure. */
export function installationOf(values: Values, namespace: string): Installation {
  const installation = describeInstallation(values, namespace);
  if (isFailed(installation)) throw commandFailure("invalid", `${installation.message}.`);
  const kept = installedValuesObject(installation, { values, version: SCRIM_VERSION });
  return {
    ...installation,
    steps: installation.steps.map((step) =>
      step.title === "Configuration" ? { ...step, objects: [...step.objects, kept] } : step,
    ),
  };
}

/** Returns where an installation is, and which. */
export function described({ namespace, revision }: { readonly namespace: string; readonly revision: string }): string {
  return `${revision === "" ? "" : `, revision ${revision},`} in namespace ${namespace}`;
}

function printPlan(comparisons: Awaited<ReturnType<typeof compareInstallation>>, out: (text: string) => void): void {
  const verbs = { missing: "create", different: "change", foreign: "refuse", stale: "remove" } as const;
  const rows = comparisons.flatMap(({ name, state, detail }) =>
    state in verbs ? [[verbs[state as keyof typeof verbs], name, detail ?? ""]] : [],
  );
  out(rows.length === 0 ? "Nothing would change.\n" : renderTable(["WOULD", "OBJECT", ""], rows));
}

function nextSteps({ revision }: Installation): string {
  const label = revision === "" ? "istio-injection=enabled" : `istio.io/rev=${revision}`;
  return (
    `Pods of a namespace get a proxy when they start next:\n    kubectl label namespace default ${label}\n` +
    'Something to look at: "A first mesh" in docs/kubernetes.md\n'
  );
}
