// Which cluster is meant, and who asks there: `--kubeconfig` and `--context`, KUBECONFIG, the pod that this runs in, or
// `~/.kube/config`, as kubectl's users know them.
import { join, resolve } from "node:path";
import type { Environment } from "./environment.ts";

/** How a cluster's API server is found. */
export type ClusterAccess =
  | {
      readonly kind: "kubeconfig";
      /** What an earlier file says counts before what a later one does. */
      readonly paths: readonly string[];
      /** Undefined: the files' current one. */
      readonly context: string | undefined;
    }
  | {
      readonly kind: "in-cluster";
      readonly host: string;
      readonly port: string;
      /** Where `token`, `ca.crt` and `namespace` of the pod's service account are. */
      readonly directory: string;
    };

export interface ClusterAccessOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Returns how the cluster is found that the options, else the environment, mean. */
export function readClusterAccess(
  { kubeconfig, context }: ClusterAccessOptions,
  { variables, homeDir }: Pick<Environment, "variables" | "homeDir">,
): ClusterAccess {
  const ofFiles = (paths: readonly string[]): ClusterAccess => ({ kind: "kubeconfig", paths, context });
  if (kubeconfig !== undefined) return ofFiles([resolve(kubeconfig)]);
  const named = (variables["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  if (named.length > 0) return ofFiles(named.map((path) => resolve(path)));
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = variables;
  return host && context === undefined
    ? { kind: "in-cluster", host, port: port || "443", directory: SERVICE_ACCOUNT_DIRECTORY }
    : ofFiles([join(homeDir, ".kube", "config")]);
}
