// Which mesh a command asks: the one at an admin address, or a cluster's, by kubeconfig.
import { existsSync } from "node:fs";
import type { ProxyStatus } from "../../admin/contract.ts";
import { acceptsTcp, type HttpAnswer } from "../../local/http-call.ts";
import { readClusterAccess } from "../../settings/cluster-access.ts";
import type { CommandContext } from "../context.ts";
import { parseAdminUrl } from "./admin-url.ts";
import { createLocalMesh } from "./local-mesh.ts";

/** One request to a control plane's admin pages. */
export interface AdminCall {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A mesh that is asked. What does not answer gives status 0. */
export interface AskedMesh {
  /** A clause on where it was looked for, as in `the mesh's admin address … does not answer`. */
  readonly whenSilent: string;
  /** Where names without a namespace are looked for first; undefined: everywhere. */
  readonly namespace: string | undefined;
  /** What each of the control plane's replicas answers; at least one. */
  admin(call: AdminCall): Promise<readonly HttpAnswer[]>;
  /** A page of a proxy's Envoy. Throws CommandFailure where it is not known how to reach it. */
  envoy(proxy: ProxyStatus, path: string): Promise<HttpAnswer>;
}

/** The options by which a person says which mesh. */
export interface MeshOptions {
  readonly admin?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly istioNamespace?: string;
  readonly revision?: string;
}

export const DEFAULT_ADMIN_URL = "http://127.0.0.1:15014";
const PATIENCE_MS = 1_000;

/**
 * Returns the mesh that the options mean; without any the one of this machine, where it answers, else the one of the
 * kubeconfig's cluster. Throws CommandFailure.
 */
export async function openMesh(options: MeshOptions, { environment }: CommandContext): Promise<AskedMesh> {
  const { admin, kubeconfig, context, istioNamespace, revision, namespace } = options;
  if (admin !== undefined) return createLocalMesh(admin, namespace);
  const means = [kubeconfig, context, istioNamespace, revision].some((option) => option !== undefined);
  const access = readClusterAccess(
    { ...(kubeconfig !== undefined && { kubeconfig }), ...(context !== undefined && { context }) },
    environment,
  );
  const hasFile = access.kind === "kubeconfig" && access.paths.some((path) => existsSync(path));
  if (!means && (!hasFile || (await answers(DEFAULT_ADMIN_URL)))) return createLocalMesh(DEFAULT_ADMIN_URL, namespace);
  // What speaks with API servers is not loaded for a mesh of this machine.
  const { openClusterMesh } = await import("./cluster-mesh.ts");
  return openClusterMesh(access, { namespace, revision, istioNamespace: istioNamespace ?? "istio-system" });
}

async function answers(url: string): Promise<boolean> {
  const { address, port } = parseAdminUrl(url);
  return acceptsTcp(address, port, PATIENCE_MS);
}
