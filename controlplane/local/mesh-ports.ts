// Consumes: the ports that were asked for.
// Produces: the mesh's own ports on this machine, claimed.
// Never does: open one.
import { type Failure, isFailed } from "../model/failure.ts";
import type { ListenFailureCode } from "../listen/listen.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import { DEFAULT_ADMIN_PORT, DEFAULT_XDS_PORT, type UpSettings } from "../settings/settings.ts";
import { claimAskedPort, claimDefaultPort } from "./gateway-ports.ts";
import type { ClaimedPort } from "./ports.ts";

export interface MeshPorts {
  readonly kind: "ports";
  readonly admin: SocketAddress;
  readonly xds: SocketAddress;
  /** For the first HTTP port of all gateways; undefined where none was asked for. */
  readonly gateway: ClaimedPort | undefined;
}

/** Claims the ports, and says which default gave way. */
export async function claimMeshPorts(
  settings: UpSettings,
  say: (line: string) => void,
): Promise<MeshPorts | Failure<ListenFailureCode>> {
  const { gatewayPort, admin: askedAdmin } = settings;
  const gateway =
    gatewayPort === undefined
      ? undefined
      : await claimAskedPort({ option: "--gateway-port", address: "127.0.0.1", port: gatewayPort });
  if (gateway && isFailed(gateway)) return gateway;
  const asked = askedAdmin && (await claimAskedPort(askedAdmin));
  if (asked && isFailed(asked)) return asked;
  const admin = asked?.claimed ?? (await claimDefaultPort("the admin address", DEFAULT_ADMIN_PORT, say));
  // Nobody but the mesh's own proxies needs to know this one.
  const xds = await claimDefaultPort("xDS", DEFAULT_XDS_PORT, () => undefined);
  return {
    kind: "ports",
    gateway: gateway?.claimed,
    admin: { address: askedAdmin?.address ?? "127.0.0.1", port: admin.port },
    xds: { address: "127.0.0.1", port: xds.port },
  };
}
