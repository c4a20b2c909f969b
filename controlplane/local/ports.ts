// Finding free ports on 127.0.0.1, and who holds one that is taken.
import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { claim, type Claim } from "./claims.ts";

/** A port that is free now and that no other mesh will take while this process lives. */
export interface ClaimedPort {
  readonly port: number;
  readonly claim: Claim;
}

const HIGHEST_PORT = 65_535;

/** Returns the port when it is free, else undefined. */
export async function claimPort(port: number): Promise<ClaimedPort | undefined> {
  const held = await claim(`port/${port}`);
  if (held === undefined) return undefined;
  if (await canListen(port)) return { port, claim: held };
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
  throw new Error(`no free port between ${lowest} and ${highest}`);
}

async function lowestEphemeralPort(): Promise<number> {
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "32768");
  const lowest = Number.parseInt(text, 10);
  return lowest >= 20_000 ? lowest : 32_768;
}

/** Returns true when a server can listen on 127.0.0.1 at this port. */
export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/**
 * Returns the process that listens on the TCP port of this machine, as far as /proc tells; undefined when it does not.
 */
export async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  const inodes = new Set([
    ...listeningInodes(await readText("/proc/net/tcp"), port),
    ...listeningInodes(await readText("/proc/net/tcp6"), port),
  ]);
  if (inodes.size === 0) return undefined;
  for (const entry of await readdir("/proc")) {
    if (/^\d+$/.test(entry) && (await holdsSocket(entry, inodes)))
      return { pid: Number(entry), command: await commandOf(entry) };
  }
  return undefined;
}

/** Returns the socket inodes that listen on `port`, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, , state] = fields;
      const inode = fields[9];
      return state === "0A" && local?.endsWith(`:${wanted}`) && inode !== undefined ? [inode] : [];
    });
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const name of names) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${name}`).catch(() => ""))?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

async function commandOf(pid: string): Promise<string> {
  const line = (await readText(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
  return (line || (await readText(`/proc/${pid}/comm`)).trim()).slice(0, 120);
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
