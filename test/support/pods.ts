// What somebody in a pod of an isolated mesh does and sees: commands run in its network and with its names.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Mesh, ProxyStatus } from "./mesh.ts";

/** What a command in a pod came to. */
export interface Said {
  readonly code: number | null;
  readonly text: string;
  readonly complaint: string;
}

const PROGRAM = 1_000;

/** Runs a bash script in the pod of this proxy, as this uid: by default as a program of the pod would run. */
export function inPod(proxy: Pick<ProxyStatus, "pid">, script: string, uid = PROGRAM): Said {
  const args = ["timeout", "20", "bash", "-c", script];
  const { status, stdout, stderr } = spawnSync("nsenter", entering(proxy, uid, args), { encoding: "utf8", cwd: "/" });
  return { code: status, text: stdout, complaint: stderr };
}

/** Starts a bash script there; `lines` are the whole ones that it has printed, and `end` ends it and resolves to them. */
export function startInPod(proxy: Pick<ProxyStatus, "pid">, script: string) {
  const args = entering(proxy, PROGRAM, ["bash", "-c", script]);
  const child = spawn("nsenter", args, { cwd: "/", stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const lines = () => text.split("\n").slice(0, -1);
  return {
    lines,
    async end(): Promise<readonly string[]> {
      child.kill("SIGKILL");
      await once(child, "close");
      return lines();
    },
  };
}

function entering({ pid }: Pick<ProxyStatus, "pid">, uid: number, command: readonly string[]): string[] {
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["-t", String(pid), "-n", "-m", "--", ...user, ...command];
}

/** Returns the metrics (of these names) that a proxy has counted. */
export async function metricsOf(mesh: Mesh, workload: string, name: string): Promise<readonly string[]> {
  const { envoyAdmin } = await mesh.proxy(workload);
  const page = await (await fetch(`http://${envoyAdmin}/stats/prometheus`)).text();
  return page.split("\n").filter((line) => line.startsWith(`${name}{`));
}
