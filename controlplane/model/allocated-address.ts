// Addresses for hosts that have none, in Istio's own ranges, which lead nowhere: a client that is told one is captured.
import { createHash } from "node:crypto";

/** An address of each family. */
export interface AllocatedAddresses {
  readonly v4: string;
  readonly v6: string;
}

/**
 * Returns addresses of 240.240.0.0/16 and 2001:2::/48 for names, no two the same; the earlier a name stands, the longer
 * it has been there. What a name gets follows from itself. Of IPv6 nothing ever changes it; of IPv4, which are few, the
 * later of two that want the same gets another: nobody's changes when names come, and when they go only that of a name
 * which had to give way.
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
    allocated.set(name, { v4: addressAt(slot), v6: v6Of(digest) });
  }
  return allocated;
}

/** Neither the first nor the last of a block of 256: some programs take these for no host's. */
const SLOTS = 256 * 254;

function addressAt(slot: number): string {
  return `240.240.${Math.floor(slot / 254)}.${(slot % 254) + 1}`;
}

/** Of 75 bits of the digest no two names have the same. No group is 0: so Envoy writes addresses, too. */
function v6Of(digest: Buffer): string {
  const groups = [4, 6, 8, 10, 12].map((at) => (digest.readUInt16BE(at) | 0x1000).toString(16));
  return `2001:2:0:${groups.join(":")}`;
}
