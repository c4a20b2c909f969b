// Consumes: bootstraps.
// Produces: whether `envoy --mode validate` loads each, and what it says if not.
// Never does: leave a process behind, or ask two of them at a time.
import { type ChildProcess, spawn } from "node:child_process";
import { constants, openSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What an Envoy says of a configuration. */
export type Verdict = { readonly loads: true } | { readonly loads: false; readonly reason: string };

export interface ScratchProcessOptions {
  /** Where the binary is; undefined when there is none to be had. Asked when it is first needed. */
  readonly findBinary: () => Promise<string | undefined>;
  readonly timeoutMs: number;
  /**
   * A folder of its own, for the pipe at which the next Envoy waits for its configuration. Left out, each is started
   * when it is needed.
   */
  readonly directory?: string;
}

export interface ScratchProcess {
  /** Whether there is an Envoy to ask. */
  isThere(): Promise<boolean>;
  /** Undefined: there is no Envoy, or it did not end by itself in time. */
  validate(bootstrap: Uint8Array): Promise<Verdict | undefined>;
  /** Has one wait from now on, where there is a folder for that. */
  warmUp(): void;
  /** Ends the one that waits; none waits any more. */
  close(): Promise<void>;
}

/** An Envoy that has started, and reads its configuration as soon as it is written. */
interface WaitingEnvoy {
  readonly child: ChildProcess;
  readonly verdict: Promise<Verdict | undefined>;
  readonly pipe: Socket;
}

const POLL_MS = 5;

/** Nothing runs yet. */
export function createScratchProcess({ findBinary, timeoutMs, directory }: ScratchProcessOptions): ScratchProcess {
  let binary: Promise<string | undefined> | undefined;
  let waiting: Promise<WaitingEnvoy | undefined> | undefined;
  let isClosed = false;
  const find = () => (binary ??= findBinary());
  const warmUp = (): void => {
    if (directory === undefined || isClosed) return;
    waiting ??= find().then(
      (path) => (path === undefined ? undefined : startWaiting(path, directory)),
      () => undefined,
    );
  };
  return {
    isThere: async () => (await find()) !== undefined,
    warmUp,
    async validate(bootstrap) {
      const path = await find();
      if (path === undefined) return undefined;
      const warm = await waiting;
      waiting = undefined;
      const isAlive = warm !== undefined && warm.child.exitCode === null && warm.child.signalCode === null;
      const verdict = await (isAlive ? feed(warm, bootstrap, timeoutMs) : validateFile(path, bootstrap, timeoutMs));
      warmUp();
      return verdict;
    },
    async close() {
      isClosed = true;
      const warm = await waiting;
      warm?.child.ref();
      warm?.child.kill("SIGKILL");
      await warm?.verdict;
      warm?.pipe.destroy();
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Returns undefined where there are no named pipes. */
async function startWaiting(binary: string, directory: string): Promise<WaitingEnvoy | undefined> {
  const path = join(directory, "bootstrap.pb");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // One that an earlier run left behind ends when it reads nothing.
  await new Promise<void>((resolve) => openPipe(path)?.destroy().once("close", resolve) ?? resolve());
  await rm(path, { force: true });
  if (!(await succeeds("mkfifo", ["-m", "600", path]))) return undefined;
  const { child, verdict } = start(binary, path);
  child.unref();
  for (;;) {
    const pipe = openPipe(path);
    if (pipe !== undefined) return { child, verdict, pipe };
    if (child.exitCode !== null || child.signalCode !== null) return undefined;
    await delay(POLL_MS);
  }
}

/** Returns the pipe for writing; undefined as long as nobody has opened it for reading. */
function openPipe(path: string): Socket | undefined {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: false, writable: true }).on("error", () => undefined).unref();
  } catch {
    return undefined;
  }
}

async function feed(
  { child, pipe, verdict }: WaitingEnvoy,
  bootstrap: Uint8Array,
  timeoutMs: number,
): Promise<Verdict | undefined> {
  child.ref();
  pipe.write(bootstrap, () => pipe.destroy());
  return within(timeoutMs, child, verdict);
}

async function validateFile(binary: string, bootstrap: Uint8Array, timeoutMs: number): Promise<Verdict | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "scrim-scratch-"));
  try {
    const path = join(directory, "bootstrap.pb");
    await writeFile(path, bootstrap, { mode: 0o600 });
    const { child, verdict } = start(binary, path);
    return await within(timeoutMs, child, verdict);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function within(
  timeoutMs: number,
  child: ChildProcess,
  verdict: Promise<Verdict | undefined>,
): Promise<Verdict | undefined> {
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return verdict.finally(() => clearTimeout(timer));
}

const CRASHES: ReadonlySet<NodeJS.Signals | null> = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"]);

/** Of what it says only this much is kept: with its reason goes all that was in the resource. */
const MAX_SAID = 64 * 1024;

function start(binary: string, path: string): { child: ChildProcess; verdict: Promise<Verdict | undefined> } {
  const args = ["--mode", "validate", "--config-path", path, "--concurrency", "1"];
  const quiet = ["--use-dynamic-base-id", "--log-level", "critical", "--log-format", "%v"];
  const child = spawn(binary, [...args, ...quiet], { env: {}, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, MAX_SAID)));
  const verdict = new Promise<Verdict | undefined>((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("close", (code, signal) => {
      if (code === 0) resolve({ loads: true });
      else if (code !== null) resolve({ loads: false, reason: reasonIn(said) });
      // What makes this one crash would do so to all that serve.
      else resolve(CRASHES.has(signal) ? { loads: false, reason: `it crashes (${signal})` } : undefined);
    });
  });
  return { child, verdict };
}

/** Envoy writes `error initializing configuration '<file>': <why>`. */
function reasonIn(said: string): string {
  return /error initializing configuration '[^']*': (.*)/s.exec(said)?.[1]?.trim() ?? said.trim();
}

function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
