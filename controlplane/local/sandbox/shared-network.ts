// Consumes: a pod with an address of this machine's loopback.
// Produces: its sandbox: the machine itself; the proxy and the workload find each other by ports that are theirs alone.
// Never does: need any privilege.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { buildBootstrap } from "../../bootstrap/bootstrap.ts";
import { replaceFile } from "../../disk/replace-file.ts";
import { CLUSTER_ID } from "../../model/workload-ref.ts";
import { acceptsTcp, httpCall } from "../http-call.ts";
import type { MeshFacts } from "../pod-context.ts";
import type { PodRecord } from "../pod-record.ts";
import type { Prober } from "../readiness.ts";
import type { OpenSandbox } from "./sandbox.ts";
import { SCRIM_VERSION } from "../../settings/version.ts";

const LOOPBACK = "127.0.0.1";

/** Asks programs on this machine's loopback. */
export const loopbackProber: Omit<Prober, "exec"> = {
  tcp: (port, timeoutMs) => acceptsTcp(LOOPBACK, port, timeoutMs),
  http: async (check) => (await httpCall({ host: LOOPBACK, ...check })).status,
};

/** Returns what makes sandboxes on the machine's own network. */
export function createSharedSandboxes(envoyBinary: string, mesh: MeshFacts): OpenSandbox {
  return async (pod) => {
    const bootstrap = await writeBootstrap(pod, mesh);
    return {
      envoy: { binary: envoyBinary, bootstrap },
      asProxy: (command) => command,
      asWorkload: (command) => command,
      prober: loopbackProber,
      async inboundOpen() {
        const accepted = await Promise.all(pod.ports.map(({ port }) => acceptsTcp(pod.ip, port, 1_000)));
        return accepted.every(Boolean);
      },
      // It holds the pod's token.
      close: () => rm(bootstrap, { force: true }),
    };
  };
}

async function writeBootstrap(pod: PodRecord, { stateDir, ...mesh }: MeshFacts): Promise<string> {
  const path = join(stateDir, "runtime", `${pod.name}.bootstrap.json`);
  const { name: podName, ip: podIp, ...own } = pod;
  const facts = { ...mesh, ...own, podName, podIp, clusterId: CLUSTER_ID, version: SCRIM_VERSION };
  await replaceFile(path, `${JSON.stringify(buildBootstrap(facts), undefined, 2)}\n`);
  return path;
}
