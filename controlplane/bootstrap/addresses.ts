// Where an Envoy listens or connects.
import type { SocketAddress } from "../model/socket-address.ts";

/** A Unix socket, by its path. */
export interface PipeAddress {
  readonly pipe: string;
}

/** Returns the address as Envoy writes it; a socket that is made is its owner's alone. */
export function buildAddress(address: SocketAddress | PipeAddress): Record<string, unknown> {
  return "pipe" in address
    ? { pipe: { path: address.pipe, mode: 0o600 } }
    : { socket_address: { address: address.address, port_value: address.port } };
}
