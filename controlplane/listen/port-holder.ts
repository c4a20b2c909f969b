// Who listens on a port of this machine, as far as Linux tells in /proc: the processes of one's own user at least.
import { readdir, readFile, readlink } from "node:fs/promises";
import { isIP } from "node:net";

/** A process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, at most 120 characters of it. */
  readonly command: string;
}

/**
 * Returns the process that listens on the TCP port at this address or at all addresses; undefined when nobody does, or
 * /proc does not tell who.
 */
export async function findPortHolder(port: number, address = "127.0.0.1"): Promise<PortHolder | undefined> {
  const inodes = new Set([
    ...listeningInodes(await readText("/proc/net/tcp"), port, address),
    ...listeningInodes(await readText("/proc/net/tcp6"), port, address),
  ]);
  if (inodes.size === 0) return undefined;
  for (const entry of await readdir("/proc")) {
    if (/^\d+$/.test(entry) && (await holdsSocket(entry, inodes)))
      return { pid: Number(entry), command: await commandOf(entry) };
  }
  return undefined;
}

/** Returns a holder as a sentence names it: `process 42 (node server.mjs)`. */
export function describeHolder(holder: PortHolder | undefined): string {
  return holder === undefined ? "another process" : `process ${holder.pid} (${holder.command})`;
}

//  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 …
/** Returns the inodes of the sockets that stand in the way of one at `address`, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number, address = "127.0.0.1"): string[] {
  const wantedPort = port.toString(16).toUpperCase().padStart(4, "0");
  const wanted = isIP(address) === 4 ? hexOf(address) : undefined;
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      const [host = "", localPort] = local.split(":");
      // Of IPv6 and of all addresses at once, any listener on the port may be the one.
      const inTheWay = wanted === undefined || ANY.test(wanted) || ANY.test(host) || host.endsWith(wanted);
      return state === LISTENING && localPort === wantedPort && inTheWay && inode !== undefined ? [inode] : [];
    });
}

const LISTENING = "0A";
const ANY = /^0+$/;

/** An IPv4 address as the kernel writes it on little-endian machines: 127.0.0.1 is 0100007F. */
function hexOf(address: string): string {
  const bytes = address.split(".").map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, "0"));
  return bytes.reverse().join("");
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
