// What a Sidecar resource says of what comes in: which ports are taken, where they lead, how much they take.
import type { ConnectionPoolSpec } from "../../model/kinds/destination-rule.ts";
import type { SidecarIngressSpec } from "../../model/kinds/sidecar.ts";
import type { World } from "../../world/world.ts";
import type { InboundPort, InboundTarget } from "../ir/proxy.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { Inputs } from "./modules.ts";
import { sidecarOf } from "./sidecar.ts";
import { resolveLimits } from "./traffic-policy.ts";

/** A port that a Sidecar opens. */
export interface IngressPort {
  readonly port: number;
  readonly name: string;
  /** "" where nobody says. */
  readonly protocol: string;
  readonly target?: InboundTarget;
}

/**
 * Returns the only ports that a captured sidecar takes as its workload's, ascending; undefined where its Sidecar leaves
 * that to the Services. Who is told of its sidecar has the ports that it was given.
 */
export function ingressPorts(world: World, proxy: ProxyClass): readonly IngressPort[] | undefined {
  const ingress = proxy.capture === undefined ? [] : (sidecarOf(world, proxy)?.spec.ingress ?? []);
  if (ingress.length === 0) return undefined;
  return ingress.map(ingressPort).toSorted((a, b) => a.port - b.port);
}

function ingressPort({ port, defaultEndpoint = "" }: SidecarIngressSpec): IngressPort {
  const { number = 0, name = "", protocol = "" } = port;
  const target = targetOf(defaultEndpoint);
  return { port: number, name, protocol, ...(target && { target }) };
}

const UNIX_SOCKET = "unix://";

/** Without one, and at any address, connections go on to the address that they were made to. */
function targetOf(endpoint: string): InboundTarget | undefined {
  if (endpoint === "") return undefined;
  if (endpoint.startsWith(UNIX_SOCKET)) return { kind: "socket", path: endpoint.slice(UNIX_SOCKET.length) };
  const colon = endpoint.lastIndexOf(":");
  const address = endpoint.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(endpoint.slice(colon + 1));
  return ["", "0.0.0.0", "::"].includes(address) ? { kind: "samePod", port } : { kind: "address", address, port };
}

/** Returns how much the application behind a port takes at once, and whether it is spoken to as its clients speak. */
export function resolveInboundPool(
  world: World,
  proxy: ProxyClass,
  port: number,
): Pick<InboundPort, "limits" | "followsClient"> {
  const { inboundConnectionPool, ingress = [] } = sidecarOf(world, proxy)?.spec ?? {};
  const own = ingress.find((candidate) => candidate.port.number === port)?.connectionPool;
  const pool: ConnectionPoolSpec | undefined = own ?? inboundConnectionPool;
  if (pool === undefined) return {};
  return {
    limits: resolveLimits({ connectionPool: pool }, world.mesh.connectTimeoutMs),
    ...(pool.http?.useClientProtocol === true && { followsClient: true }),
  };
}

/** Returns what to say of an ingress that cannot be obeyed where programs and ports are given to each other beforehand. */
export function resolveIngressNotes({ world }: Inputs, proxy: ProxyClass): readonly string[] {
  const sidecar = sidecarOf(world, proxy);
  if (proxy.capture !== undefined || (sidecar?.spec.ingress ?? []).length === 0) return [];
  const { namespace, name } = sidecar?.metadata ?? {};
  return [
    `the ingress of Sidecar ${namespace}/${name} needs captured connections: this proxy has the workload's ports`,
  ];
}
