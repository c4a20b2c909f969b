// Addresses for hosts that have none, in Istio's own ranges, which lead nowhere: a client that is told one is captured.
import { createHash } from "node:crypto";

/** An address of each family. */
export interface AllocatedAddresses {
  readonly v4: string;
  readonly v6: string;
}

/**
 * Returns addresses of 240.240.0.0/16 and 2001:2::/48 for names, no two the same; the earlier a name stands, the longer
 * it has been there. What a name gets follows from itself: only where two want the same the later one gets another. So
 * nobody's changes when names come, and when they go only that of a name which had to give way.
 */
export function allocateAddresses(names: Iterable<string>): ReadonlyMap<string, AllocatedAddresses> {
  const taken = new Set<number>();
  const allocated = new Map<string, AllocatedAddresses>();
  for (const name of names) {
    if (allocated.has(name) || taken.size === SLOTS) continue;
    const digest = createHash("sha256").update(name).digest();
    let slot = digest.readUInt32BE(0) % SLOTS;
    while (taken.has(slot)) slot = (slot + 1) % SLOTS;
    taken.add(slot);
    allocated.set(name, { v4: addressAt(slot), v6: v6Of(digest, slot) });
  }
  return allocated;
}

/** Neither the first nor the last of a block of 256: some programs take these for no host's. */
const SLOTS = 256 * 254;

function addressAt(slot: number): string {
  return `240.240.${Math.floor(slot / 254)}.${(slot % 254) + 1}`;
}

/** In the form in which Envoy writes addresses; never two for two slots. */
function v6Of(digest: Buffer, slot: number): string {
  const group = (value: number) => (value | 0x1000).toString(16);
  return `2001:2:0:${group(digest.readUInt16BE(4))}:${group(digest.readUInt16BE(6))}:1:1:${(slot + 1).toString(16)}`;
}
