#!/usr/bin/env node
// Consumes: what the set-up built for a test cluster (deploy/setup/test-cluster.mjs), and being root on Linux.
// Produces: a Kubernetes with real pods, in namespaces (pid, network, mounts, host name) of its own.
// Never does: change the machine's network or mounts, or leave anything: the end of one process is the end of all.
//
//   npm run cluster -- up                # until `down`
//   npm run cluster -- sh kubectl get pods -A
//   npm run cluster -- node 2            # one more node (to 4)
//   npm run cluster -- load              # the images, after the set-up made new ones (pods are to be restarted)
//   npm run cluster -- down
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLUSTER_IMAGES, CLUSTER_PROGRAMS } from "../../deploy/setup/test-cluster.mjs";
import { endedPrograms, whyNoNode } from "./machine/why-no-node.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const STARTED_WITHIN_MS = 120_000;

/** The addresses of a cluster's Services. */
export const CLUSTER_SERVICES = "10.91.0.0/16";

/** Where `up` without a folder keeps its cluster. */
export const DEFAULT_STATE = join(tmpdir(), "scrim-cluster");

/**
 * Starts a cluster of one node in this folder, which must not hold one; resolves when the node is ready. With `isHeld`
 * it ends with this process, however that ends; without, it outlives it.
 */
export async function startCluster(state, { isHeld = false } = {}) {
  if (isRunning(state)) throw new Error(`there is a cluster in ${state} already: \`down\` ends it`);
  for (const file of [join(CLUSTER_PROGRAMS, "kubectl"), ...CLUSTER_IMAGES])
    if (!existsSync(file))
      throw new Error(`there is no ${file}: \`npm run setup -- --for-tests\` makes it, or says why not`);
  removeTraces(state);
  mkdirSync(state, { recursive: true });
  // Who waits for its end is a process of its own: it removes what the kernel leaves, whoever ended the cluster. Of one
  // that did not start the logs are read before.
  const wait = 'unshare "$@"; [ -e "$STATE/n1/started" ] || exit 1; exec "$0" "$CLUSTER" sweep';
  const namespaces = ["--fork", "--pid", "--kill-child", "--mount-proc", "--net", "--uts"];
  const args = ["-c", wait, process.execPath, ...namespaces, join(here, "machine/node.sh")];
  const child = startNode("sh", args, { state, node: 1, isHeld });
  const folder = join(state, "n1");
  try {
    writeFileSync(join(state, "pid"), await onlyChildOf(await onlyChildOf(child.pid)));
    await untilStarted(child, folder);
  } catch (error) {
    throw notStarted(error, { child, folder, clear: () => removeTraces(state) });
  }
  child.unref();
}

/** Adds node `number` (2 to 4) to a running cluster, with network and mounts of its own; resolves when it is ready. */
export async function addNode(state, number) {
  const entered = ["-t", pidOf(state), "-m", "-n", "-p", "-u", "unshare", "--net", "--mount", "--fork"];
  const child = startNode("nsenter", [...entered, join(here, "machine/node.sh")], { state, node: number });
  const folder = join(state, `n${number}`);
  try {
    await untilStarted(child, folder);
  } catch (error) {
    throw notStarted(error, { child, folder, clear: () => removeTraces(state, number) });
  }
}

/** Ends a cluster and resolves when nothing is left of it; nothing happens when there is none. */
export async function endCluster(state) {
  if (!isRunning(state)) return removeTraces(state);
  process.kill(Number(pidOf(state)), "SIGKILL");
  const hasStarted = existsSync(join(state, "n1/started"));
  for (let tries = 0; hasStarted && existsSync(state) && tries < 200; tries++) await pause(50);
  removeTraces(state);
}

function loadImages(state) {
  const socket = join(state, "n1/run/containerd.sock");
  for (const archive of CLUSTER_IMAGES) {
    const [program, ...args] = insideCluster(state, ["ctr", "-a", socket, "-n", "k8s.io", "images", "import", archive]);
    spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  }
}

/** Returns a command line that runs `command` inside the cluster, as root on node 1. */
export function insideCluster(state, command) {
  const environment = [`PATH=${CLUSTER_PROGRAMS}:${process.env.PATH}`, `KUBECONFIG=${kubeconfigOf(state)}`];
  const namespaces = ["-t", pidOf(state), "-m", "-n", "-p", "-u"];
  return ["nsenter", ...namespaces, `--wdns=${process.cwd()}`, "--", "env", ...environment, ...command];
}

/** Returns the kubeconfig of the cluster's administrator; its server is reached from inside the cluster only. */
export function kubeconfigOf(state) {
  return join(state, "pki/admin.kubeconfig");
}

function startNode(command, args, { state, node, isHeld = false }) {
  const folder = join(state, `n${node}`);
  mkdirSync(join(folder, "log"), { recursive: true });
  const log = openSync(join(folder, "log/node.log"), "a");
  const env = {
    ...process.env,
    ...{ STATE: state, NODE: String(node), BIN: CLUSTER_PROGRAMS, IMAGES: CLUSTER_IMAGES.join(" ") },
    ...{ CLUSTER: fileURLToPath(import.meta.url), SCRIM_CLUSTER: state, HOLD: isHeld ? "stdin" : "" },
  };
  const stdio = [isHeld ? "pipe" : "ignore", log, log];
  return spawn(command, args, { detached: true, cwd: "/", stdio, env });
}

async function untilStarted(child, folder) {
  const deadlineMs = Date.now() + STARTED_WITHIN_MS;
  while (!existsSync(join(folder, "started"))) {
    const ended = endedPrograms(folder);
    if (ended.length > 0) throw new Error(`${ended.join(", ")} ended`);
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("it ended");
    if (Date.now() > deadlineMs) throw new Error(`it is not ready after ${STARTED_WITHIN_MS / 1000} s`);
    await pause(50);
  }
}

/** Ends what was started of a node, and returns an error with what its logs say: they go with it. */
function notStarted(error, { child, folder, clear }) {
  const why = whyNoNode(folder);
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
  clear();
  return new Error(`the node does not start: ${error.message}${why}`, { cause: error });
}

async function onlyChildOf(pid) {
  for (let tries = 0; tries < 250; tries++, await pause(20)) {
    const children = `/proc/${pid}/task/${pid}/children`;
    if (!existsSync(children)) throw new Error("it ended");
    const [child] = readFileSync(children, "utf8").trim().split(" ");
    if (child) return child;
  }
  throw new Error(`process ${pid} started nothing`);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function pidOf(state) {
  if (!existsSync(join(state, "pid"))) throw new Error(`there is no cluster in ${state}: \`up\` starts one`);
  return readFileSync(join(state, "pid"), "utf8");
}

function isRunning(state) {
  if (!existsSync(join(state, "pid"))) return false;
  // A number that the machine gave to another process since is not ours; another clone's cluster is one, too.
  return commandOf(pidOf(state)).includes("test/cluster/machine/node.sh");
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/**
 * Removes what is left of a cluster, or of one of its nodes. The kernel removes the processes of a pid namespace, not the
 * cgroups that they made, and those a moment later.
 */
function removeTraces(state, node = "") {
  const prefix = `k8s-${basename(state)}-n${node}`;
  for (let tries = 0; tries < 100; tries++) {
    const left = cgroups().filter((path) => basename(path).startsWith(prefix));
    if (left.length === 0) break;
    for (const path of left) spawnSync("find", [path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    spawnSync("sleep", ["0.05"]);
  }
  rmSync(node === "" ? state : join(state, `n${node}`), {
    recursive: true,
    force: true,
    maxRetries: 20,
    retryDelay: 100,
  });
}

function cgroups() {
  const at = "/sys/fs/cgroup";
  const hierarchies = readdirSync(at, { withFileTypes: true }).filter((each) => each.isDirectory());
  return hierarchies.flatMap(({ name }) => readdirSync(join(at, name)).map((group) => join(at, name, group)));
}

const USAGE = `npm run cluster -- COMMAND
  up          start a cluster, which lasts until \`down\`
  sh COMMAND  run a command in it, as in: sh kubectl get pods -A
  node N      add node N (2 to 4)
  load        load the images anew, after the set-up made them
  down        end it`;

function isAskedForHelp([command, ...rest]) {
  return command === "help" || (command === "sh" ? [] : [command, ...rest]).some((word) => /^(-h|--help)$/.test(word));
}

async function main(words) {
  if (isAskedForHelp(words)) return console.log(USAGE);
  const [command, ...rest] = words;
  const state = process.env.SCRIM_CLUSTER || DEFAULT_STATE;
  if (command === "up") {
    await startCluster(state);
    console.log("a cluster is up: npm run cluster -- sh kubectl get pods -A");
  } else if (command === "node") await addNode(state, Number(rest[0] ?? 2));
  else if (command === "down") await endCluster(state);
  else if (command === "load") loadImages(state);
  else if (command === "sweep") removeTraces(state);
  else if (command === "sh") {
    const [program, ...args] = insideCluster(state, rest.length > 0 ? rest : ["bash"]);
    process.exitCode = spawnSync(program, args, { stdio: "inherit" }).status ?? 1;
  } else throw new Error(`there is no command ${command ?? ""}\n${USAGE}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main(process.argv.slice(2)).then(
    // What was started goes on; this process has nothing more to do.
    () => process.exit(),
    (error) => {
      console.error(`cluster: ${error.message}`);
      process.exit(1);
    },
  );
