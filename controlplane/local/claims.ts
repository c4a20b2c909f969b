// Claims on ports and address blocks between meshes on one machine, so that two that start at once do not choose the
// same.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { ScrimError } from "../model/failure.ts";

/** Something this process holds until it lets go or ends. */
export interface Claim {
  release(): void;
}

/**
 * Returns a claim on `name`, or undefined when a living process has it. The kernel releases it when the process ends,
 * however it does.
 */
export function claim(name: string): Promise<Claim | undefined> {
  return new Promise((resolve) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    // A leading NUL makes a Unix socket in the abstract namespace: no file, and one holder at a time.
    server.listen(`\0scrim/${name}`, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

/** An address block 127.a.b.0/24, and the pods' addresses in it. */
export interface AddressBlock {
  /** As in `127.10.4`. */
  readonly prefix: string;
  /** Returns a free address; undefined when all 250 are in use. An address given back is used again last. */
  take(): string | undefined;
  giveBack(address: string): void;
}

const ATTEMPTS = 200;
const FIRST_HOST = 2;
const LAST_HOST = 251;

/** Returns a random block that no mesh has claimed and in which nothing listens. `random` returns numbers in [0, 1). */
export async function claimAddressBlock(random: () => number): Promise<AddressBlock> {
  const used = await listeningBlocks();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // 127.0.x stays with the machine's own services.
    const prefix = `127.${1 + Math.floor(random() * 253)}.${Math.floor(random() * 256)}`;
    if (!used.has(prefix) && (await claim(`block/${prefix}`))) return createAddressBlock(prefix);
  }
  throw new ScrimError("no-address", "no free 127.a.b.0/24 was found for the mesh's pods");
}

/** Returns the block's bookkeeping; exported for its test. */
export function createAddressBlock(prefix: string): AddressBlock {
  const free = Array.from({ length: LAST_HOST - FIRST_HOST + 1 }, (_, index) => `${prefix}.${FIRST_HOST + index}`);
  return { prefix, take: () => free.shift(), giveBack: (address) => void free.push(address) };
}

async function listeningBlocks(): Promise<Set<string>> {
  const text = await readFile("/proc/net/tcp", "utf8").catch(() => "");
  const blocks = new Set<string>();
  for (const line of text.split("\n").slice(1)) {
    const hex = /^\s*\d+:\s+([0-9A-F]{8}):/.exec(line)?.[1];
    if (hex === undefined) continue;
    const bytes = [6, 4, 2].map((at) => parseInt(hex.slice(at, at + 2), 16));
    blocks.add(bytes.join("."));
  }
  return blocks;
}
