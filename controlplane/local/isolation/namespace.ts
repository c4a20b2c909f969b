// Consumes: nothing but the machine's programs.
// Produces: a network namespace with its own view of mounts, held by a process that ends with this one.
// Never does: give it a name: what has none leaves nothing behind, however this process ends.
import { spawn } from "node:child_process";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ScrimError } from "../../model/failure.ts";
import { type ChildOptions, startChild } from "../child-process.ts";
import { type Programs, SYSTEM_PATH } from "./programs.ts";

export interface Namespace {
  readonly pid: number;
  /** Returns how a command is started in it; `prefix` runs the command, as `setpriv` does. */
  enter(command: ChildOptions, prefix?: readonly string[]): ChildOptions;
  /** Runs a shell script in it, as root; throws ScrimError with what it complained of. */
  run(script: string): Promise<void>;
  /** Returns what bash prints that runs this script in it, as root; "" after `timeoutMs`. */
  ask(script: string, args: readonly string[], timeoutMs: number): Promise<string>;
  /** Returns a socket of ours that is bound to this address and port of it. */
  bindUdp(address: string, port: number): Promise<Socket>;
  /** Returns the path by which this process reaches one of its files. */
  path(file: string): string;
  /** Ends what holds it; it is gone when the last process in it is. */
  end(): Promise<void>;
}

const HOLDER = "sleep";
const POLL_MS = 2;
const POLLS = 2_500;

/** Returns a new namespace, whose mounts are those of `parent` (else the machine's); `log` gets its holder's complaints. */
export async function openNamespace(programs: Programs, log: string, parent?: Namespace): Promise<Namespace> {
  const { unshare, nsenter } = programs;
  const held = [unshare, "--net", "--mount", "--", HOLDER, "infinity"];
  const [command = "", ...args] = parent ? [nsenter, "-t", String(parent.pid), "-m", "--", ...held] : held;
  const env = { PATH: SYSTEM_PATH };
  const child = startChild({ command, args, cwd: "/", env, stdout: "/dev/null", stderr: log });
  const { pid } = child;
  if (pid === undefined || !(await becomes(pid, HOLDER))) {
    await child.stop(0);
    const complaint = (await readFile(log, "utf8").catch(() => "")).trim().split("\n").at(-1);
    throw new ScrimError("cannot-isolate", `--isolate: a network namespace cannot be made here: ${complaint}`);
  }
  const inside = ["-t", String(pid), "-n", "-m", "--"];
  return {
    pid,
    enter: ({ command: program, args: given, cwd, ...rest }, prefix = []) => ({
      ...rest,
      command: nsenter,
      // Entering its mounts leads to their root; the folder may be one that the command's user could not walk to.
      args: [...inside, "/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd, ...prefix, program, ...given],
      cwd: "/",
    }),
    async run(script) {
      const { code, stderr } = await runToEnd(nsenter, [...inside, "/bin/sh", "-e"], script);
      if (code !== 0) throw new ScrimError("cannot-isolate", `a namespace cannot be set up: ${stderr.trim()}`);
    },
    ask: async (script, given, timeoutMs) =>
      (await runToEnd(nsenter, [...inside, programs.bash, "-c", script, "bash", ...given], "", timeoutMs)).stdout,
    bindUdp: (address, port) => bindUdpIn(nsenter, inside, address, port),
    path: (file) => join(`/proc/${pid}/root`, file),
    end: async () => void (await child.stop(0)),
  };
}

/** Makes the socket where it is to be, hands it over, and ends: as long as it lived it would take half of what comes. */
const BIND_UDP = `
const [address, port] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
socket.bind(Number(port), address, () => process.send("bound", socket, () => process.exit()));
`;

async function bindUdpIn(nsenter: string, inside: readonly string[], address: string, port: number): Promise<Socket> {
  const args = [...inside, process.execPath, "-e", BIND_UDP, address, String(port)];
  const maker = spawn(nsenter, args, { cwd: "/", stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return new Promise((resolve, reject) => {
    maker.once("message", (_, socket) => resolve(socket as Socket));
    maker.once("error", reject);
    maker.once("exit", (code) => {
      if (code !== 0) reject(new ScrimError("cannot-isolate", `the mesh's name server cannot have ${address}:${port}`));
    });
  });
}

/** The holder is what it is to be once it has its namespaces and their mounts are its own. */
async function becomes(pid: number, name: string): Promise<boolean> {
  for (let poll = 0; poll < POLLS; poll++) {
    const comm = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => undefined);
    if (comm === undefined) return false;
    if (comm.trim() === name) return true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runToEnd(command: string, args: readonly string[], input: string, timeoutMs?: number): Promise<Ending> {
  const said = { stdout: "", stderr: "" };
  const child = spawn(command, args, {
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    ...(timeoutMs !== undefined && { timeout: timeoutMs, killSignal: "SIGKILL" as const }),
  });
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...said };
}
