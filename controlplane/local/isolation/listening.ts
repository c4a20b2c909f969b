// Which ports somebody listens on in another network namespace, read from the kernel's tables.
import { readFile } from "node:fs/promises";

const LISTENS = "0A";

/** Whether a process of the namespace of `pid` accepts connections to this address (IPv4) and port. */
export async function listensAt(pid: number, address: string, port: number): Promise<boolean> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8").catch(() => "")),
  );
  return tables.some((table) => parseListening(table).some((at) => at.port === port && reaches(at.hex, address)));
}

/** Returns the listening sockets of a table: the address in the kernel's hexadecimal, and the port. */
export function parseListening(table: string): readonly { readonly hex: string; readonly port: number }[] {
  return table.split("\n").flatMap((line) => {
    const [, hex = "", port = "", state] = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line) ?? [];
    return state === LISTENS ? [{ hex, port: Number.parseInt(port, 16) }] : [];
  });
}

function reaches(hex: string, address: string): boolean {
  // Words of 32 bits, each in the machine's own order; an IPv4 address as IPv6 ends in it.
  const own = address
    .split(".")
    .reverse()
    .map((byte) => Number(byte).toString(16).padStart(2, "0").toUpperCase())
    .join("");
  return /^0+$/.test(hex) || hex.endsWith(own);
}
