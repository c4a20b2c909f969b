// consumes: a bootstrap
// produces: a running Envoy of its own, with its admin page and its costs
// never does: leave it running
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { locateEnvoy } from "../controlplane/envoy/install.mjs";
import { readEnvironment } from "../controlplane/settings/environment.ts";
import { endChild, scratchDirectory, startChild } from "./children.ts";
import { cpuSecondsOf, residentBytesOf } from "./process-cost.ts";

/** A running Envoy. */
export interface BenchEnvoy {
  readonly version: string;
  cpuSeconds(): number;
  residentBytes(): number;
  admin(path: string): Promise<string>;
  /** The port of a listener on 127.0.0.1; waits until it is open. */
  port(listener: string): Promise<number>;
  log(): string;
  stop(): Promise<void>;
}

/** Whether somebody takes connections there: a listener that still waits for its filters is listed already. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

/**
 * Starts an Envoy with so many workers; throws with its log when it does not get ready. The bootstrap's admin address
 * is given here.
 */
export async function startEnvoy(bootstrap: object, concurrency: number): Promise<BenchEnvoy> {
  const { envoyPath, searchPath, cacheDir } = readEnvironment();
  const located = await locateEnvoy({ envoyPath, searchPath, cacheDir, arch: process.arch, fetch: false });
  const directory = scratchDirectory();
  const paths = {
    config: join(directory, "bootstrap.json"),
    admin: join(directory, "admin"),
    log: join(directory, "log"),
  };
  writeFileSync(
    paths.config,
    JSON.stringify({ ...bootstrap, admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } } }),
  );
  const args = [
    "-c",
    paths.config,
    "--use-dynamic-base-id",
    "--concurrency",
    String(concurrency),
    "--admin-address-path",
    paths.admin,
    "-l",
    "warning",
    "--log-path",
    paths.log,
  ];
  const child = startChild(located.path, args, { stdio: "ignore" });
  const log = (): string => (existsSync(paths.log) ? readFileSync(paths.log, "utf8") : "");
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 1200; tries++) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Envoy ended:\n${log().slice(-4000)}`);
      if (await holds()) return;
      await delay(25);
    }
    throw new Error(`Envoy: ${what} did not come:\n${log().slice(-4000)}`);
  };
  await until("its admin page", async () => existsSync(paths.admin) && readFileSync(paths.admin, "utf8") !== "");
  const adminUrl = `http://${readFileSync(paths.admin, "utf8").trim()}`;
  const admin = async (path: string): Promise<string> => (await fetch(`${adminUrl}${path}`)).text();
  const pid = child.pid ?? 0;
  return {
    version: located.version,
    cpuSeconds: () => cpuSecondsOf(pid),
    residentBytes: () => residentBytesOf(pid),
    admin,
    async port(listener) {
      let port = 0;
      await until(`the listener ${listener}`, async () => {
        const line = (await admin("/listeners").catch(() => ""))
          .split("\n")
          .find((text) => text.startsWith(`${listener}::`));
        port = Number(line?.split(":").at(-1) ?? 0);
        return port > 0 && (await isOpen(port));
      });
      return port;
    },
    log,
    stop: () => endChild(child),
  };
}
