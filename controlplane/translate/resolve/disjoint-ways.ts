// Ways whose conditions do not overlap: a proxy refuses two that could take the same connection equally well.
import { isIPv4 } from "node:net";
import type { CapturedWay } from "../ir/captured.ts";

/** Returns the ways without the conditions that an earlier one has; those with none left are not there. */
export function disjointWays(ways: readonly CapturedWay[]): readonly CapturedWay[] {
  const taken = new Set<string>();
  return ways.flatMap((way) => {
    const names = namesOf(way);
    const byNames = new Map<string, string[]>();
    for (const block of blocksOf(way)) {
      const free = names.filter((name) => !taken.has(`${block} ${name}`));
      for (const name of free) taken.add(`${block} ${name}`);
      if (free.length > 0) byNames.set(free.join(), [...(byNames.get(free.join()) ?? []), block]);
    }
    return [...byNames].map(([free, subnets]) => ({
      ...way,
      subnets: subnets[0] === ANY ? [] : subnets,
      serverNames: free === ANY ? [] : free.split(","),
    }));
  });
}

const ANY = "";

/** Returns every condition under which the way is taken: a block of addresses and a name. */
export function conditionsOf(way: CapturedWay): readonly string[] {
  return blocksOf(way).flatMap((block) => namesOf(way).map((name) => `${block} ${name}`));
}

function blocksOf({ subnets }: CapturedWay): readonly string[] {
  return subnets.length === 0 ? [ANY] : [...new Set(subnets.map(oneForm))];
}

function namesOf({ serverNames }: CapturedWay): readonly string[] {
  return serverNames.length === 0 ? [ANY] : [...new Set(serverNames)];
}

/** `10.1.2.3/8` is `10.0.0.0/8`, and an address alone a block of one. */
function oneForm(block: string): string {
  const [address = "", length] = block.toLowerCase().split("/");
  if (!isIPv4(address)) return `${address}/${length ?? "128"}`;
  const bits = Number(length ?? 32);
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const base = Math.floor(number / 2 ** (32 - bits)) * 2 ** (32 - bits);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".")}/${bits}`;
}
