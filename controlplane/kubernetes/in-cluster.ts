// The access that a pod has by its service account: the kubelet replaces the token's file long before it runs out.
import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { type Failure, failed } from "../model/failure.ts";
import type { ClusterAccess } from "../settings/cluster-access.ts";
import type { Access } from "./credentials.ts";

/** Returns the access; a failure in a pod that was given no service account's files. */
export function openInCluster({
  host,
  port,
  directory,
}: Extract<ClusterAccess, { kind: "in-cluster" }>): Access | Failure<"no-access"> {
  let namespace: string;
  try {
    namespace = readFileSync(join(directory, "namespace"), "utf8").trim();
  } catch (error) {
    return failed("no-access", `this pod has no service account's files in ${directory}: ${(error as Error).message}`);
  }
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return {
    namespace,
    async credentials() {
      try {
        const [token, ca] = await Promise.all([
          readFile(join(directory, "token"), "utf8"),
          readFile(join(directory, "ca.crt"), "utf8"),
        ]);
        return {
          ...{ kind: "credentials", server, tls: { ca } },
          headers: { authorization: `Bearer ${token.trim()}` },
        };
      } catch (error) {
        return failed("no-credentials", `the service account's files cannot be read: ${(error as Error).message}`);
      }
    },
    renew() {},
  };
}
