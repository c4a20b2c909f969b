// consumes: a world
// produces: its control plane in a process of its own, which can be asked what it holds and can be killed
// never does: share a process with what it is measured by
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endChild, startChild } from "../../test/support/children.ts";
import { type ControlPlanePorts, serveSettings } from "../../test/support/serve-settings.ts";
import type { FromControlPlane, ProcessSample, ToControlPlane } from "./messages.ts";
import type { World } from "./world.ts";

export interface RunningControlPlane {
  readonly pid: number;
  sample(): Promise<ProcessSample>;
  /** The body of an admin page. */
  page(path: string): Promise<string>;
  /** What it logged and complained of. */
  log(): string;
  kill(): Promise<void>;
}

/** Starts it and resolves when it serves; rejects with its reason. */
export async function startControlPlane(
  { directories }: Pick<World, "directories">,
  ports: ControlPlanePorts,
  workloadLifetimeMs?: number,
): Promise<RunningControlPlane> {
  const logFile = join(directories.state, "..", "control-plane.log");
  const log = openSync(logFile, "a");
  const child = startChild(
    process.execPath,
    ["--no-warnings", fileURLToPath(new URL("./endurance-control-plane.mjs", import.meta.url))],
    { stdio: ["ignore", log, log, "ipc"] },
  );
  closeSync(log);
  const ask = (message: ToControlPlane): Promise<FromControlPlane> =>
    new Promise((resolve, reject) => {
      const ended = (): void =>
        reject(new Error(`the control plane ended:\n${readFileSync(logFile, "utf8").slice(-4000)}`));
      child.once("exit", ended);
      child.once("message", (answer: FromControlPlane) => {
        child.off("exit", ended);
        resolve(answer);
      });
      child.send(message);
    });
  const answer = await ask({
    kind: "start",
    settings: serveSettings(directories, ports, { logLevel: "warn", workloadLifetimeMs }),
  });
  if (answer.kind === "failed") throw new Error(answer.reason);
  return {
    pid: child.pid ?? 0,
    async sample() {
      const taken = await ask({ kind: "sample" });
      if (taken.kind !== "sampled") throw new Error("the control plane gave no sample");
      return taken.sample;
    },
    // A connection of its own: one that was kept might be closed by the other side just when it is used again.
    page: async (path) =>
      (await fetch(`http://127.0.0.1:${ports.admin}${path}`, { headers: { connection: "close" } })).text(),
    log: () => readFileSync(logFile, "utf8"),
    kill: () => endChild(child),
  };
}
