// Consumes: what the machine has of programs, and where the control plane serves xDS.
// Produces: a mesh's own network: a bridge in a namespace without a name, the door through which proxies reach the
// control plane, the name server that they ask, and the way out to the world.
// Never does: change the machine's interfaces, routes or rules.
import type { Socket } from "node:dgram";
import { getServers } from "node:dns";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { SocketAddress } from "../../model/socket-address.ts";
import type { Clock } from "../../telemetry/clock.ts";
import { type Door, openDoor } from "./door.ts";
import { serveNames } from "./name-server.ts";
import { type Namespace, openNamespace } from "./namespace.ts";
import type { Programs } from "./programs.ts";
import { openWayOut, WAY_OUT_PORT } from "./way-out.ts";
import { joinScript, MESH_FOLDER, meshScript } from "./scripts.ts";

export interface MeshNetwork {
  /** Returns a namespace joined to the bridge by its `eth0`, which has no address yet. */
  openPodNamespace(): Promise<Namespace>;
  close(): Promise<void>;
}

/** Every mesh has these addresses: no two of them see each other. */
export const POD_PREFIX = "10.244.0";
export const POD_PREFIX_LENGTH = 24;
export const POD_PREFIX_IPV6 = "fd00:10:244::";
export const POD_GATEWAY = `${POD_PREFIX}.1`;

const DNS_PORT = 53;

/** Where proxies find the control plane. */
export const XDS_SOCKET = `${MESH_FOLDER}/xds.sock`;
export const ENVOY_BINARY = `${MESH_FOLDER}/envoy`;

export interface MeshNetworkOptions {
  readonly programs: Programs;
  readonly stateDir: string;
  readonly envoyBinary: string;
  readonly xds: SocketAddress;
  /** The file of the machine's network namespace. */
  readonly machine: string;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** Makes the network. Throws ScrimError with a sentence where the machine does not allow it. */
export async function openMeshNetwork(options: MeshNetworkOptions): Promise<MeshNetwork> {
  const { programs, stateDir, envoyBinary, xds } = options;
  // All that a mesh leaves on the machine: an empty folder in memory, to mount its files on.
  await mkdir(MESH_FOLDER, { recursive: true });
  const log = join(stateDir, "logs", "isolation.log");
  const mesh = await openNamespace(programs, log);
  let door: Door | undefined;
  let names: Socket | undefined;
  let wayOut: Door | undefined;
  const close = async () => {
    await wayOut?.close();
    names?.close();
    await door?.close();
    await mesh.end();
  };
  try {
    const addresses = { gateway: POD_GATEWAY, prefixLength: POD_PREFIX_LENGTH };
    await mesh.run(meshScript({ ...addresses, envoyBinary, wayOutPort: WAY_OUT_PORT }));
    door = await openDoor({ path: mesh.path(XDS_SOCKET) }, xds);
    names = await mesh.bindUdp(POD_GATEWAY, DNS_PORT);
    serveNames(names, getServers);
    wayOut = await openWayOut({
      ...options,
      mesh,
      envoyBinary: ENVOY_BINARY,
      bootstrap: `${MESH_FOLDER}/way-out.json`,
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async openPodNamespace() {
      const pod = await openNamespace(programs, log, mesh);
      await mesh.run(joinScript(pod.pid));
      return pod;
    },
    close,
  };
}
