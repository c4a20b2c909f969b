// What the commands about an installation have in common: which cluster, which installation, which values.
import type { Command } from "commander";
import type { InstallationName } from "../../install/cluster/ownership.ts";
import { collect } from "../options.ts";

/** By which a person says which cluster. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly istioNamespace?: string;
  readonly revision?: string;
}

/** By which a person says what is installed. */
export interface ValuesOptions {
  readonly filename: readonly string[];
  readonly set: readonly string[];
}

export const DEFAULT_NAMESPACE = "istio-system";

/** Adds the options that say which cluster. */
export function withCluster(command: Command): Command {
  return command
    .option("--kubeconfig <file>", "the file that leads to the cluster (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "the context in the kubeconfig")
    .option("-i, --istioNamespace <namespace>", `where the control plane is (default: ${DEFAULT_NAMESPACE})`)
    .option("-r, --revision <name>", "the control plane's name, where several run side by side");
}

/** Adds the options that say what is installed. */
export function withValues(command: Command): Command {
  return command
    .option("-f, --filename <file>", "values, or an IstioOperator; may be repeated, later ones win", collect, [])
    .option(
      "-s, --set <path=value>",
      "one value, as in profile=demo or pilot.replicaCount=1; may be repeated",
      collect,
      [],
    );
}

/** Returns which installation the options mean, where values do not say otherwise. */
export function nameOfInstallation({ istioNamespace, revision }: ClusterOptions): InstallationName {
  return { namespace: istioNamespace ?? DEFAULT_NAMESPACE, revision: revision ?? "" };
}
