// Processes that end with their parent, whatever ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fchownSync, openSync } from "node:fs";

/** How a child ended: by itself with a code, or by a signal. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ranForMs: number;
  readonly error?: string;
}

export interface Child {
  readonly pid: number | undefined;
  /** Resolves when the process is gone. Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** Asks the process group to end, and ends it by force after `graceMs`; resolves when the process is gone. */
  stop(graceMs: number): Promise<ChildExit>;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Files that get what the process prints, appended. "inherit" passes it on to ours. */
  readonly stdout: string | "inherit";
  readonly stderr: string | "inherit";
  /** Whose these files are to be, where the process is not ours: it may open them again by their names in /dev. */
  readonly owner?: UnixUser | undefined;
}

/** A user and a group, by number. */
export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The child leads a process group of its own. In the group a shell waits on a pipe whose other end only this process
 * holds: when this process ends, even by SIGKILL, the pipe closes and the shell kills the whole group, grandchildren
 * included.
 */
const WATCHED = '(trap "" HUP INT TERM; exec </dev/null >/dev/null 2>&1; read -r _ <&3; kill -KILL 0) & exec "$@" 3<&-';

/** Starts a process that ends with this one. */
export function startChild(options: ChildOptions): Child {
  const startedAt = performance.now();
  const outputs = openOutputs(options);
  const child = spawn("/bin/sh", ["-c", WATCHED, "scrim-child", options.command, ...options.args], {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ["ignore", outputs.stdout, outputs.stderr, "pipe"],
  });
  outputs.close();
  // The pipe breaks when the group is killed; that is no news.
  child.stdio[3]?.on("error", () => undefined);
  const exited = new Promise<ChildExit>((resolve) => {
    const end = (exit: Omit<ChildExit, "ranForMs">) => {
      // What the leader left behind in its group, the waiting shell among it.
      signalGroup(child, "SIGKILL");
      child.stdio[3]?.destroy();
      resolve({ ...exit, ranForMs: performance.now() - startedAt });
    };
    child.once("exit", (code, signal) => end({ code, signal }));
    child.once("error", (error) => end({ code: null, signal: null, error: error.message }));
  });
  return { pid: child.pid, exited, stop: (graceMs) => stopChild(child, exited, graceMs) };
}

async function stopChild(child: ChildProcess, exited: Promise<ChildExit>, graceMs: number): Promise<ChildExit> {
  signalGroup(child, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone.
  }
}

function openOutputs({ stdout, stderr, owner }: ChildOptions) {
  const open = (to: string) => {
    if (to === "inherit") return "inherit" as const;
    const file = openSync(to, "a", 0o600);
    if (owner !== undefined && to !== "/dev/null") fchownSync(file, owner.uid, owner.gid);
    return file;
  };
  const out = open(stdout);
  const err = stderr === stdout && stderr !== "inherit" ? out : open(stderr);
  return {
    stdout: out,
    stderr: err,
    close() {
      for (const file of new Set([out, err])) if (typeof file === "number") closeSync(file);
    },
  };
}

/** Returns how a child ended, for people: "exited with code 1", "was ended by SIGKILL". */
export function describeExit({ code, signal, error }: ChildExit): string {
  if (error !== undefined) return `could not be started (${error})`;
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}
