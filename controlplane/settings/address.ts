// Addresses and ports as options say them.
import { type Failure, failed } from "../model/failure.ts";
import type { SocketAddress } from "../model/socket-address.ts";

/** Where something of ours is to listen, and the option that says so. Port 0 takes a free one. */
export interface AskedAddress extends SocketAddress {
  readonly option: string;
}

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

/** Returns the port in a text of up to five digits; undefined when it is none. Port 0 is allowed. */
function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return port <= 65_535 ? port : undefined;
}

/** Returns the address that an option says, or the sentence for one that says none. */
export function readAddress(option: string, text: string): AskedAddress | Failure<"usage"> {
  const address = parseAddress(text);
  return address ? { ...address, option } : failed("usage", `${option} ${text} is not an address: write HOST:PORT.`);
}

/** Returns the port of this machine that an option says, undefined where it is not given. */
export function readPort(option: string, text: string | undefined): AskedAddress | Failure<"usage"> | undefined {
  if (text === undefined) return undefined;
  const port = parsePort(text);
  return port === undefined
    ? failed("usage", `${option} ${text} is not a port: write a number from 0 (any free port) to 65535.`)
    : { address: "127.0.0.1", port, option };
}

/** Where the admin pages are asked for: at an address, or at a port of 127.0.0.1. */
export interface AdminOptions {
  readonly adminAddress?: string;
  readonly adminPort?: string;
}

/** Returns where the admin pages are asked for; undefined where no option says it. */
export function readAdminAddress({
  adminAddress,
  adminPort,
}: AdminOptions): AskedAddress | Failure<"usage"> | undefined {
  if (adminAddress === undefined) return readPort("--admin-port", adminPort);
  return adminPort === undefined
    ? readAddress("--admin-address", adminAddress)
    : failed("usage", "--admin-address and --admin-port both say where the admin pages are: give one of them.");
}

/** Returns true for addresses that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

/** Returns the address by which this machine reaches its own server; one that listens at all addresses, at loopback. */
export function reachedAt({ address, port }: SocketAddress): SocketAddress {
  const loopback: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  return { address: loopback[address] ?? address, port };
}
