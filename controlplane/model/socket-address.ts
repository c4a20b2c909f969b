/** An IP address (or a host's name) and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** An address in another network namespace than the process that listens there has, told by the namespace's file. */
export interface NamespacedAddress extends SocketAddress {
  readonly networkNamespace: string;
}

/** Where to listen; port 0 takes a free one. */
export interface ListenAddress extends SocketAddress {
  /** The option that says so, as in `--admin-address`, for whoever is told that it cannot be had. */
  readonly option?: string | undefined;
}

/** Returns the parts of `127.10.4.7:9080` or `[::1]:9080`; undefined for anything else, and for port 0. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const [, v6, v4, port] = /^(?:\[([0-9a-f:.]+)\]|([^[\]:]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4;
  const number = Number(port);
  return address === undefined || !(number >= 1 && number <= 65_535) ? undefined : { address, port: number };
}

/** Returns the address as text that `parseSocketAddress` reads. */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
