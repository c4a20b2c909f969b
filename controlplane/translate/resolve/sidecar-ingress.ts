// What a Sidecar resource says of what comes in: which ports are taken, where they lead, how much they take.
import { isFailed } from "../../model/failure.ts";
import type { ConnectionPoolSpec } from "../../model/kinds/destination-rule.ts";
import { isPassedOn } from "../../model/kinds/gateway.ts";
import type { SidecarIngressSpec } from "../../model/kinds/sidecar.ts";
import type { World } from "../../world/world.ts";
import type { GatewayTls } from "../ir/gateway.ts";
import type { InboundPort, InboundTarget } from "../ir/proxy.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { resolveServerTls } from "./gateway-tls.ts";
import type { Inputs } from "./modules.ts";
import { resolveMtlsMode } from "./peer-authentication.ts";
import { sidecarOf } from "./sidecar.ts";
import { resolveLimits } from "./traffic-policy.ts";

/** A port that a Sidecar opens. */
export interface IngressPort {
  readonly port: number;
  readonly name: string;
  /** "" where nobody says. */
  readonly protocol: string;
  readonly target?: InboundTarget;
  /** It ends TLS of clients; what comes out of it is what `protocol` says below TLS. */
  readonly tls?: GatewayTls;
  /** See InboundPort. */
  readonly openedAt?: string;
}

/**
 * Returns the only ports that a captured sidecar takes as its workload's, ascending; undefined where its Sidecar leaves
 * that to the Services. Who is told of its sidecar has the ports that it was given.
 */
export function ingressPorts(world: World, proxy: ProxyClass): readonly IngressPort[] | undefined {
  const ingress = proxy.capture === undefined ? [] : (sidecarOf(world, proxy)?.spec.ingress ?? []);
  if (ingress.length === 0) return undefined;
  return ingress.map((spec) => ingressPort(world, proxy, spec)).toSorted((a, b) => a.port - b.port);
}

function ingressPort(world: World, proxy: ProxyClass, spec: SidecarIngressSpec): IngressPort {
  const { port, defaultEndpoint = "", bind = "" } = spec;
  const { number = 0, name = "", protocol = "" } = port;
  const target = targetOf(defaultEndpoint);
  const tls = endsTls(world, proxy, spec) ? resolveServerTls(world, proxy.namespace, spec.tls ?? {}) : undefined;
  return {
    port: number,
    name,
    // As in Istio also where the TLS that is ended is the mesh's.
    protocol: spec.tls === undefined ? protocol : (WITHIN_TLS[protocol.toUpperCase()] ?? protocol),
    ...(target && { target }),
    ...(tls && !isFailed(tls) && { tls }),
    ...(isOpened(spec) && { openedAt: bind }),
  };
}

const WITHIN_TLS: Readonly<Record<string, string>> = { HTTPS: "HTTP", TLS: "TCP" };

/** Two kinds of TLS at one port could not be told apart. */
function endsTls(world: World, proxy: ProxyClass, { tls, port }: SidecarIngressSpec): boolean {
  return tls !== undefined && !isPassedOn(tls.mode) && resolveMtlsMode(world, proxy, port.number ?? 0) === "DISABLE";
}

/** Without another place to lead to, connections would come back for ever. */
function isOpened({ captureMode, defaultEndpoint = "", port }: SidecarIngressSpec): boolean {
  const target = targetOf(defaultEndpoint);
  return captureMode === "NONE" && target !== undefined && !(target.kind === "samePod" && target.port === port.number);
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
  if (sidecar === undefined) return [];
  const { ingress = [], egress = [] } = sidecar.spec;
  const of = (what: string): string => `the ${what} of Sidecar ${sidecar.metadata.namespace}/${sidecar.metadata.name}`;
  if (proxy.capture === undefined)
    return [
      ...(egress.some(({ bind, captureMode }) => bind !== undefined || captureMode !== undefined)
        ? [`${of("egress")}: bind and captureMode need captured connections: this proxy is found at one address`]
        : []),
      ...(ingress.length === 0
        ? []
        : [`${of("ingress")} needs captured connections: this proxy has the workload's ports`]),
    ];
  return [
    ...egress
      .filter(({ bind = "" }) => bind.startsWith(UNIX_SOCKET))
      .map(({ bind }) => `${of("egress")}: no socket is opened at ${bind}: its hosts are found as all others are`),
    ...ingress
      .filter(({ tls }) => tls !== undefined && !isPassedOn(tls.mode))
      .filter((spec) => !endsTls(world, proxy, spec))
      .map(
        ({ port }) =>
          `${of("ingress")}: tls of port ${port.number} needs a PeerAuthentication that turns mutual TLS off there`,
      ),
    ...ingress
      .filter((spec) => spec.captureMode === "NONE" && !isOpened(spec))
      .map(({ port }) => `${of("ingress")}: captureMode NONE of port ${port.number} needs a defaultEndpoint elsewhere`),
  ].sort();
}
