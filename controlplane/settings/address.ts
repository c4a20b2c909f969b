import type { SocketAddress } from "../model/socket-address.ts";

/**
 * Returns the address in `127.0.0.1:15014`, `[::1]:15014` or `localhost:15014`; undefined when the text is none. Port 0
 * is allowed.
 */
export function parseAddress(text: string): SocketAddress | undefined {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535) return undefined;
  const host = match[1].replace(/^\[|\]$/g, "");
  return { address: host === "localhost" ? "127.0.0.1" : host, port };
}

/** Returns true for addresses that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}
