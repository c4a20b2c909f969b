// Network namespaces of a test's own: they and all in them end with the process that holds them.
import { type ChildProcess, type SpawnOptions, spawnSync } from "node:child_process";
import { once } from "node:events";
import { startChild } from "./children.ts";

/** A network namespace that ends with `end`. */
export interface TestNamespace {
  readonly pid: number;
  /** Runs a command in it to its end; throws when it fails, with what it said. */
  run(command: readonly string[], input?: string): string;
  /** Runs a bash script in it as this uid (and gid); returns what it printed, whatever it exits with. */
  bash(script: string, uid?: number): string;
  /** Starts a command in it as root, with a pipe to read what it prints unless the options say otherwise. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Starts a program of Node in it as this uid; resolves when it has printed its first line. */
  start(script: string, uid?: number): Promise<void>;
  /** Starts a program in it as this uid; resolves when it has printed its first line. */
  startProgram(command: readonly string[], uid: number): Promise<void>;
  end(): Promise<void>;
}

/** Why tests in namespaces cannot run here; undefined when they can. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  for (const program of ["ip", "iptables-restore", "ip6tables-restore", "unshare", "nsenter", "setpriv"])
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `no ${program}`;
  return undefined;
}

/** Returns a new namespace with its loopback up. */
export async function createNamespace(): Promise<TestNamespace> {
  const holder = startChild("unshare", ["--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (holder.stdout) await once(holder.stdout, "data");
  const pid = holder.pid as number;
  const enter = ["-t", String(pid), "-n", "--"];
  const started: ChildProcess[] = [];
  const asUser = (uid: number) => ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  function startCommand(command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const stdio: SpawnOptions["stdio"] = ["ignore", "pipe", "inherit"];
    const child = startChild("nsenter", [...enter, ...command], { stdio, cwd: "/", ...options });
    started.push(child);
    return child;
  }
  async function startProgram(command: readonly string[], uid: number): Promise<void> {
    const child = startCommand([...asUser(uid), ...command]);
    if (child.stdout) await once(child.stdout, "data");
  }
  return {
    pid,
    run(command, input) {
      const { status, stdout, stderr } = spawnSync("nsenter", [...enter, ...command], { input, encoding: "utf8" });
      if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
      return stdout;
    },
    bash: (script, uid = 1000) =>
      spawnSync("nsenter", [...enter, ...asUser(uid), "timeout", "5", "bash", "-c", script], { encoding: "utf8" })
        .stdout,
    spawn: startCommand,
    start: (script, uid = 1000) => startProgram([process.execPath, "-e", script], uid),
    startProgram,
    async end() {
      for (const child of [...started, holder]) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    },
  };
}

/** Joins two namespaces by a pair of interfaces named eth0, with these addresses (of both families). */
export function joinNamespaces(a: TestNamespace, b: TestNamespace, addresses: readonly (readonly [string, string])[]) {
  a.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", String(b.pid)]);
  for (const [ofA, ofB] of addresses) {
    for (const [namespace, address] of [
      [a, ofA],
      [b, ofB],
    ] as const)
      namespace.run(["ip", "address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : [])]);
  }
  for (const namespace of [a, b]) namespace.run(["ip", "link", "set", "eth0", "up"]);
}

/** A namespace that a bridge is to reach, and the addresses of its interface eth0. */
export interface BridgedNamespace {
  readonly namespace: TestNamespace;
  readonly addresses: readonly string[];
}

/** Joins namespaces by a bridge in `hub`: each reaches all others. */
export function bridgeNamespaces(hub: TestNamespace, members: readonly BridgedNamespace[]): void {
  hub.run(["ip", "link", "add", "bridge", "type", "bridge"]);
  hub.run(["ip", "link", "set", "bridge", "up"]);
  for (const [index, { namespace, addresses }] of members.entries()) {
    const port = `port${index}`;
    hub.run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", String(namespace.pid)]);
    hub.run(["ip", "link", "set", port, "master", "bridge", "up"]);
    for (const address of addresses)
      namespace.run(["ip", "address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : [])]);
    namespace.run(["ip", "link", "set", "eth0", "up"]);
  }
}
