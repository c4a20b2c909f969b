// What a proxy needs to be told of at its start, written where only it can read it.
import { chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { buildBootstrap, nodeId } from "../../bootstrap/bootstrap.ts";
import { buildCapturedBootstrap, buildTokenSecret } from "../../bootstrap/captured-bootstrap.ts";
import type { ControlPlane } from "../../bootstrap/xds-cluster.ts";
import { CLUSTER_ID } from "../../model/workload-ref.ts";
import type { UnixUser } from "../child-process.ts";
import type { MeshFacts } from "../pod-context.ts";
import type { PodRecord } from "../pod-record.ts";
import type { SandboxedEnvoy } from "../sandbox/sandbox.ts";
import { ENVOY_BINARY, XDS_SOCKET } from "./mesh-network.ts";
import { SCRIM_VERSION } from "../../settings/version.ts";

/** Where the pod has its files, and how this process reaches one of them. */
export interface PodFolder {
  readonly folder: string;
  path(file: string): string;
}

/** Returns the socket of Envoy's own pages. */
export function adminSocket(folder: string): string {
  return `${folder}/envoy/admin.sock`;
}

/** Writes the files of the pod's proxy, which runs as `owner`. */
export async function writeProxyFiles(
  pod: PodRecord,
  { folder, path }: PodFolder,
  mesh: MeshFacts,
  owner: UnixUser,
): Promise<SandboxedEnvoy> {
  const own = `${folder}/envoy`;
  await mkdir(path(own), { mode: 0o700 });
  await chown(path(own), owner.uid, owner.gid);
  const rootCertificateFile = `${own}/root-cert.pem`;
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(path(`${own}/${name}`), text, { mode: 0o600 });
    await chown(path(`${own}/${name}`), owner.uid, owner.gid);
    return `${own}/${name}`;
  };
  await write("root-cert.pem", await readFile(mesh.controlPlane.rootCertificateFile, "utf8"));
  const controlPlane = { ...mesh.controlPlane, at: { pipe: XDS_SOCKET }, rootCertificateFile };
  const admin = { pipe: adminSocket(folder) };
  const { name: podName, ip: podIp, namespace } = pod;
  const id = { kind: pod.kind, podIp, podName, namespace };
  if (pod.capture === undefined) {
    const facts = { ...mesh, ...pod, ...id, admin, controlPlane, clusterId: CLUSTER_ID, version: SCRIM_VERSION };
    return { binary: ENVOY_BINARY, bootstrap: await write("bootstrap.json", JSON.stringify(buildBootstrap(facts))) };
  }
  const tokenFile = await write("token", pod.token);
  const secretFile = await write("xds-token.json", JSON.stringify(buildTokenSecret({ tokenFile })));
  const bootstrap = buildCapturedBootstrap({
    ...capturedFacts(pod, pod.capture, mesh, controlPlane),
    token: { tokenFile, secretFile },
    admin,
  });
  return {
    binary: ENVOY_BINARY,
    bootstrap: await write("bootstrap.json", JSON.stringify(bootstrap)),
    node: { id: nodeId(id), cluster: `${pod.labels["app"] ?? pod.workload}.${namespace}` },
  };
}

function capturedFacts(
  { namespace, workload, serviceAccount, labels, moreIps = [] }: PodRecord,
  capture: "REDIRECT" | "TPROXY",
  { trustDomain, metricLabels, extraStatTags }: MeshFacts,
  controlPlane: ControlPlane,
) {
  return {
    ...{ capture, namespace, workload, serviceAccount, labels, trustDomain, metricLabels, extraStatTags, controlPlane },
    clusterId: CLUSTER_ID,
    version: SCRIM_VERSION,
    ipFamilies: moreIps.length > 0 ? ("dual" as const) : ("IPv4" as const),
  };
}
