// Where a pod's proxy listens.
import type { NamespacedAddress, SocketAddress } from "../model/socket-address.ts";
import type { ServedPort } from "./served-ports.ts";

/** A port on which a proxy listens for its workload, or for the outside when it is a gateway. */
export interface ListenPort {
  /** containerPort, or the Gateway's server port for routers. */
  readonly port: number;
  /** "" for a port without a name. */
  readonly name: string;
  readonly bind: SocketAddress;
  /** Where the application itself listens; absent at gateways. */
  readonly application?: SocketAddress;
  /** Where the machine reaches it too, when the pod has a network of its own; gateways only. */
  readonly published?: NamespacedAddress;
}

/** Returns where somebody on the machine reaches the port. */
export function reachedFromMachine({ bind, published }: ListenPort): SocketAddress {
  return published ?? bind;
}

/** Envoy's admin page and a sidecar's explicit-proxy listener stand on the same ports of every pod's address. */
export const ENVOY_ADMIN_PORT = 15_000;
export const OUTBOUND_PORT = 15_001;

/** Returns where a captured sidecar is reached: where its application is. */
export function capturedListens(ip: string, ports: readonly ServedPort[]): readonly ListenPort[] {
  return ports.map(({ port, name }) => {
    const address = { address: ip, port };
    return { port, name, bind: address, application: address };
  });
}

/**
 * Returns where a sidecar listens for its workload: on the pod's own address. The application is expected on 127.0.0.1,
 * on the same port unless `applicationPort` says another (`index` is the port's place in `ports`).
 */
export function sidecarListens(
  ip: string,
  ports: readonly ServedPort[],
  applicationPort: (port: number, index: number) => number = (port) => port,
): readonly ListenPort[] {
  return ports.map(({ port, name }, index) => ({
    port,
    name,
    bind: { address: ip, port },
    application: { address: "127.0.0.1", port: applicationPort(port, index) },
  }));
}
