// What somebody in a pod of an isolated mesh does and sees: commands run in its network and with its names.
import { spawnSync } from "node:child_process";
import type { Mesh, ProxyStatus } from "./mesh.ts";

/** What a command in a pod came to. */
export interface Said {
  readonly code: number | null;
  readonly text: string;
  readonly complaint: string;
}

const PROGRAM = 1_000;

/** Runs a bash script in the pod of this proxy, as this uid: by default as a program of the pod would run. */
export function inPod({ pid }: Pick<ProxyStatus, "pid">, script: string, uid = PROGRAM): Said {
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const args = ["-t", String(pid), "-n", "-m", "--", ...user, "timeout", "20", "bash", "-c", script];
  const { status, stdout, stderr } = spawnSync("nsenter", args, { encoding: "utf8", cwd: "/" });
  return { code: status, text: stdout, complaint: stderr };
}

/** Returns the metrics (of these names) that a proxy has counted. */
export async function metricsOf(mesh: Mesh, workload: string, name: string): Promise<readonly string[]> {
  const { envoyAdmin } = await mesh.proxy(workload);
  const page = await (await fetch(`http://${envoyAdmin}/stats/prometheus`)).text();
  return page.split("\n").filter((line) => line.startsWith(`${name}{`));
}
