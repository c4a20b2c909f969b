// Finding free ports of this machine, and keeping them from other meshes.
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { ScrimError } from "../model/failure.ts";
import { tryListening } from "../listen/listen.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import { claim, type Claim } from "./claims.ts";

/** A port that is free now and that no other mesh will take while this process lives. */
export interface ClaimedPort {
  readonly port: number;
  readonly claim: Claim;
}

const HIGHEST_PORT = 65_535;

/** Returns the port when it is free, else undefined. */
export async function claimPort(port: number, address = "127.0.0.1"): Promise<ClaimedPort | undefined> {
  const held = await claim(`port/${port}`);
  if (held === undefined) return undefined;
  if (await canListen(port, address)) return { port, claim: held };
  held.release();
  return undefined;
}

/** Returns `wanted` or the next free port above it. */
export async function claimPortFrom(wanted: number): Promise<ClaimedPort> {
  for (let port = wanted; port <= HIGHEST_PORT; port++) {
    const claimed = await claimPort(port);
    if (claimed) return claimed;
  }
  return claimAnyPort(Math.random);
}

/**
 * Returns a random free port below those the kernel gives to outgoing connections, so that none of them takes it
 * meanwhile.
 */
export async function claimAnyPort(random: () => number): Promise<ClaimedPort> {
  const lowest = 16_000;
  const highest = await lowestEphemeralPort();
  for (let attempt = 0; attempt < 2_000; attempt++) {
    const claimed = await claimPort(lowest + Math.floor(random() * (highest - lowest)));
    if (claimed) return claimed;
  }
  throw new ScrimError("no-port", `no free port between ${lowest} and ${highest}`);
}

async function lowestEphemeralPort(): Promise<number> {
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "32768");
  const lowest = Number.parseInt(text, 10);
  return lowest >= 20_000 ? lowest : 32_768;
}

/** Returns true when a server can listen on this port. */
async function canListen(port: number, address: string): Promise<boolean> {
  return (await listeningFault({ address, port })) === undefined;
}

/** Returns what prevents a server from listening here; undefined when nothing does. */
export async function listeningFault(address: SocketAddress): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer();
  const fault = await tryListening(server, address);
  if (fault === undefined) await new Promise((resolve) => server.close(resolve));
  return fault;
}
