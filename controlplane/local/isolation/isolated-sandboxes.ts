// Consumes: a pod, and the network of its mesh.
// Produces: its sandbox: a namespace with its address, its names, the rules of capture, and a door to its admin page.
// Never does: let a workload's program run as the one whose connections nobody captures, unless its template says so.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { captureRules } from "../../capture/rules.ts";
import { PROXY_OWNER } from "../../capture/settings.ts";
import { VIRTUAL_INBOUND_PORT } from "../../model/capture-ports.ts";
import type { WorkloadPlan } from "../../pods/workload-plan.ts";
import type { ChildOptions, UnixUser } from "../child-process.ts";
import type { MeshFacts } from "../pod-context.ts";
import type { PodRecord } from "../pod-record.ts";
import type { OpenSandbox, PodSandbox } from "../sandbox/sandbox.ts";
import { openDoor } from "./door.ts";
import { captureOf } from "./isolated-network.ts";
import { listensAt } from "./listening.ts";
import { type MeshNetwork, POD_GATEWAY, POD_PREFIX_LENGTH } from "./mesh-network.ts";
import type { Namespace } from "./namespace.ts";
import { podProber } from "./pod-prober.ts";
import type { Programs } from "./programs.ts";
import { adminSocket, writeProxyFiles } from "./proxy-files.ts";
import { MESH_FOLDER, podScript } from "./scripts.ts";
import { asUser, workloadUser } from "./workload-user.ts";

export interface IsolationContext {
  readonly programs: Programs;
  readonly network: MeshNetwork;
  readonly mesh: MeshFacts;
  readonly say: (line: string) => void;
}

const ROOT: UnixUser = { uid: 0, gid: 0 };

/** Returns what makes sandboxes in a network of the mesh's own. */
export function createIsolatedSandboxes(context: IsolationContext): OpenSandbox {
  return async (pod, workload) => {
    const namespace = await context.network.openPodNamespace();
    try {
      return await fillSandbox(namespace, pod, workload, context);
    } catch (error) {
      await namespace.end();
      throw error;
    }
  };
}

async function fillSandbox(
  namespace: Namespace,
  pod: PodRecord,
  workload: WorkloadPlan | undefined,
  { programs, mesh, say }: IsolationContext,
): Promise<PodSandbox> {
  const folder = `${MESH_FOLDER}/${pod.ip}`;
  await writeNames(namespace, pod, folder);
  const rules = pod.capture && captureRules(captureOf(pod.capture, pod.annotations));
  const addresses = { ip: pod.ip, prefixLength: POD_PREFIX_LENGTH, gateway: POD_GATEWAY };
  await namespace.run(podScript({ ...addresses, ipv6: pod.moreIps ?? [], folder, rules }));
  const proxyOwner = pod.kind === "sidecar" ? PROXY_OWNER : ROOT;
  const envoy = await writeProxyFiles(pod, { folder, path: namespace.path }, mesh, proxyOwner);
  const user = workload && (await workloadUser(workload.folder, workload.runAs));
  if (user?.uid === PROXY_OWNER.uid || user?.gid === PROXY_OWNER.gid)
    say(`${pod.name} runs as ${PROXY_OWNER.uid}, which is its proxy's: nothing that it sends is captured`);
  const admin = await openDoor(pod.admin, { path: namespace.path(adminSocket(folder)) });
  return {
    envoy,
    asProxy: (command) => namespace.enter({ ...command, owner: proxyOwner }, proxyPrefix(programs, pod)),
    asWorkload: (command) => namespace.enter(...workloadCommand(command, programs, mesh.stateDir, user)),
    prober: podProber(namespace, pod.ip),
    inboundOpen: () => listensAt(namespace.pid, "0.0.0.0", VIRTUAL_INBOUND_PORT),
    async close() {
      await admin.close();
      await rm(namespace.path(folder), { recursive: true, force: true });
      await namespace.end();
    },
  };
}

/** A gateway's Envoy opens ports on the machine: only root may go there. Under TPROXY sockets have others' addresses. */
function proxyPrefix({ setpriv }: Programs, { kind, capture }: PodRecord): readonly string[] {
  if (kind === "router") return [];
  const { uid, gid } = PROXY_OWNER;
  const capabilities =
    capture === "TPROXY"
      ? ["--inh-caps=-all,+net_admin", "--ambient-caps=+net_admin"]
      : ["--inh-caps=-all", "--bounding-set=-all"];
  return [setpriv, `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs", ...capabilities, "--"];
}

/** Before its programs run, what may hold secrets of the mesh is hidden from them, whatever they may read. */
const HIDE = 'for folder in "$1" "$2"; do mount -t tmpfs -o mode=0755,ro none "$folder"; done; shift 2; exec "$@"';

function workloadCommand(
  command: ChildOptions,
  { setpriv, unshare }: Programs,
  stateDir: string,
  user: Awaited<ReturnType<typeof workloadUser>> | undefined,
): readonly [ChildOptions, readonly string[]] {
  if (user === undefined) return [command, []];
  // As in a container: whoever started the mesh has a home that is not the workload's.
  const env = { ...command.env, HOME: "/" };
  const hidden = [unshare, "--mount", "--", "/bin/sh", "-ec", HIDE, "sh", MESH_FOLDER, stateDir];
  return [{ ...command, env, owner: user }, [...hidden, ...asUser(setpriv, user)]];
}

/** As Kubernetes writes them for a pod. */
async function writeNames(namespace: Namespace, { name, ip, namespace: own }: PodRecord, folder: string) {
  // What a pod that had this address could not take with it.
  await rm(namespace.path(folder), { recursive: true, force: true });
  await mkdir(namespace.path(folder), { mode: 0o755 });
  const hosts = `127.0.0.1 localhost\n::1 localhost\n${ip} ${name}\n`;
  await writeFile(namespace.path(`${folder}/hosts`), hosts);
  const domains = [`${own}.svc.cluster.local`, "svc.cluster.local", "cluster.local"];
  const resolver = `nameserver ${POD_GATEWAY}\nsearch ${domains.join(" ")}\noptions ndots:5\n`;
  await writeFile(namespace.path(`${folder}/resolv.conf`), resolver);
}
