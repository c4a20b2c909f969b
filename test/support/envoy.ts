// Consumes: a bootstrap.
// Produces: a running Envoy of its own, with its admin page and its log.
// Never does: leave it running.
import { type ChildProcess, execFile } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type LocatedEnvoy, locateEnvoy } from "../../controlplane/envoy/install.mjs";
import { readEnvironment } from "../../controlplane/settings/environment.ts";
import { endChild, removeScratchDirectory, scratchDirectory, startChild } from "./children.ts";
import { isOpen } from "./ports.ts";

/** A running Envoy. */
export interface Envoy {
  readonly version: string;
  readonly pid: number;
  /** The text of an admin page. */
  admin(path: string): Promise<string>;
  /** A counter or gauge by its full name; undefined while it does not exist. */
  stat(name: string): Promise<number | undefined>;
  /** The `host:port` that a listener is bound to; undefined while there is none of the name. */
  listener(name: string): Promise<string | undefined>;
  /** The port of a listener on 127.0.0.1; waits until it takes connections. */
  port(listener: string): Promise<number>;
  /** Waits until it has all that its bootstrap names, and its workers serve. */
  ready(): Promise<void>;
  /** What Envoy logged so far. */
  log(): string;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

export interface EnvoyOptions {
  /** Worker threads, default 1. */
  readonly concurrency?: number;
  /** Default `warning`. */
  readonly logLevel?: string;
  /** Levels of single components, such as `wasm:debug`. */
  readonly componentLogLevel?: string;
  /** Where its files are, from `scratchDirectory`: for a bootstrap that names files. Default a new one. */
  readonly directory?: string;
}

/** Access logs are written so often. */
const FLUSH_MS = 10;
const PATIENCE_MS = 30_000;

let located: Promise<LocatedEnvoy> | undefined;

/** Returns the Envoy to test with, found as `scrim` finds its own; throws with what to do when there is none. */
export function findEnvoy(): Promise<LocatedEnvoy> {
  const { envoyPath, searchPath, cacheDir } = readEnvironment();
  return (located ??= locateEnvoy({ envoyPath, searchPath, cacheDir, arch: process.arch, fetch: false }));
}

/**
 * Starts an Envoy with a bootstrap (proto3 JSON) and resolves when its admin page answers; throws with its log when it
 * ends before. Without an admin address of its own the bootstrap gets one.
 */
export async function startEnvoy(bootstrap: object, options: EnvoyOptions = {}): Promise<Envoy> {
  const { path, version } = await findEnvoy();
  const { directory = scratchDirectory() } = options;
  const at = (name: string): string => join(directory, name);
  const admin = { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } };
  writeFileSync(at("envoy.json"), JSON.stringify({ admin, ...bootstrap }), { mode: 0o600 });
  const log = openSync(at("log"), "a");
  const child = startChild(path, argumentsOf(at, options), { stdio: ["ignore", log, log] });
  closeSync(log);
  const running = observe(child, at);
  await running.until("its admin page", () => running.adminAddress() !== "");
  return {
    version,
    pid: child.pid ?? 0,
    ...actionsOf(running),
    async stop() {
      await endChild(child);
      removeScratchDirectory(directory);
    },
  };
}

/** Has an Envoy look at a configuration file; returns what it prints, rejects when it would not start with it. */
export async function validateConfiguration(file: string): Promise<string> {
  const { path } = await findEnvoy();
  const args = ["--mode", "validate", "-c", file, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"];
  const { stdout, stderr } = await promisify(execFile)(path, args, { timeout: 60_000 });
  return stdout + stderr;
}

type Files = (name: string) => string;

function argumentsOf(at: Files, { concurrency = 1, logLevel = "warning", componentLogLevel }: EnvoyOptions): string[] {
  return [
    ...["-c", at("envoy.json"), "--use-dynamic-base-id", "--concurrency", String(concurrency)],
    ...["--admin-address-path", at("admin"), "--file-flush-interval-msec", String(FLUSH_MS), "-l", logLevel],
    ...(componentLogLevel === undefined ? [] : ["--component-log-level", componentLogLevel]),
  ];
}

interface Running {
  log(): string;
  /** `host:port`, or "" as long as there is none. */
  adminAddress(): string;
  /** Waits for something that this Envoy does. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
}

function observe(child: ChildProcess, at: Files): Running {
  const log = (): string => readFileSync(at("log"), "utf8");
  return {
    log,
    adminAddress: () => (existsSync(at("admin")) ? readFileSync(at("admin"), "utf8").trim() : ""),
    async until(what, holds) {
      for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await delay(25)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`Envoy ended:\n${log().slice(-4_000)}`);
        if (await holds()) return;
      }
      throw new Error(`Envoy: ${what} did not come:\n${log().slice(-4_000)}`);
    },
  };
}

function actionsOf({ log, adminAddress, until }: Running): Omit<Envoy, "version" | "pid" | "stop"> {
  const page = (path: string): Promise<Response> => fetch(`http://${adminAddress()}${path}`);
  const admin = async (path: string): Promise<string> => (await page(path)).text();
  const listener = async (name: string): Promise<string | undefined> => {
    const line = (await admin("/listeners")).split("\n").find((text) => text.startsWith(`${name}::`));
    return line?.slice(name.length + 2);
  };
  return {
    log,
    admin,
    listener,
    async stat(name) {
      const filter = encodeURIComponent(`^${name.replaceAll(".", "\\.")}$`);
      const { stats } = JSON.parse(await admin(`/stats?format=json&filter=${filter}`)) as {
        stats: { name?: string; value?: number }[];
      };
      return stats.find((stat) => stat.name === name)?.value;
    },
    async port(name) {
      let port = 0;
      // A listener that still waits for its filters is listed already.
      await until(`the listener ${name}`, async () => {
        port = Number((await listener(name).catch(() => undefined))?.split(":").at(-1) ?? 0);
        return port > 0 && (await isOpen(port));
      });
      return port;
    },
    ready: () =>
      until("its readiness", () =>
        page("/ready").then(
          async (answer) => (await answer.text(), answer.ok),
          () => false,
        ),
      ),
  };
}
